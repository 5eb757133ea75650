package keepalived

// Limits on statements. Those in blocks that say nothing about IPVS are not kept.
const (
	maxStatements = 1 << 20
	maxBlocks     = 32 // within each other
)

// statement is a keyword with its parameters, and the block that follows.
type statement struct {
	words    []word // at least one
	raw      string // all of it
	at       place
	isBlock  bool
	children []*statement
}

func (s *statement) keyword() string { return s.words[0].text }

// args returns the parameters.
func (s *statement) args() []string {
	all := make([]string, len(s.words)-1)
	for i, w := range s.words[1:] {
		all[i] = w.text
	}
	return all
}

// word returns the place of a word, or that of the statement if there is none.
func (s *statement) word(i int) place {
	at := s.at
	if i < len(s.words) {
		at.column = s.words[i].column
	}
	return at
}

// tree makes statements of pieces.
type tree struct {
	top     []*statement
	blocks  []*statement // that are open, the innermost last
	last    *statement   // that a block may follow; nil if none may
	dropped bool         // whether the open blocks are not kept
	count   int
}

// kept are the blocks at the top whose statements are kept.
var kept = map[string]bool{
	"virtual_server": true, "virtual_server_group": true, "SSL": true, "global_defs": true,
	"track_file": true, "vrrp_track_file": true,
}

// add adds a piece of a line: a brace, or a statement.
func (t *tree) add(piece string, l line) error {
	switch piece {
	case "{":
		return t.begin(l.at)
	case "}":
		if len(t.blocks) == 0 {
			return l.at.errorf("this } ends no block")
		}
		t.blocks, t.last = t.blocks[:len(t.blocks)-1], nil
		return nil
	}
	s := &statement{words: splitWords(piece, l.at.column, l.exact), raw: piece, at: l.at}
	if len(s.words) == 0 {
		return nil
	}
	t.last = s
	switch n := len(t.blocks); {
	case n == 0:
		t.top = append(t.top, s)
		t.dropped = !kept[s.keyword()]
	case t.dropped:
		return nil
	default:
		t.blocks[n-1].children = append(t.blocks[n-1].children, s)
	}
	if t.count++; t.count > maxStatements {
		return l.at.errorf("the configuration has more than %d statements", maxStatements)
	}
	return nil
}

func (t *tree) begin(at place) error {
	switch {
	case t.last == nil || t.last.isBlock:
		return at.errorf("this { follows no keyword")
	case len(t.blocks) == maxBlocks:
		return at.errorf("blocks are more than %d deep", maxBlocks)
	}
	t.last.isBlock = true
	t.blocks, t.last = append(t.blocks, t.last), nil
	return nil
}

// end returns the statements at the top.
func (t *tree) end() ([]*statement, error) {
	if n := len(t.blocks); n > 0 {
		s := t.blocks[n-1]
		return nil, s.at.errorf("the block of %s has no end", s.keyword())
	}
	return t.top, nil
}
