package lvs

import (
	"fmt"
	"slices"
)

// connectionColumn is a column of a listing of connections.
type connectionColumn uint8

const (
	columnUnknown connectionColumn = iota // is skipped
	columnProtocol
	columnClient
	columnClientPort // is read with the address before it, as the other ports are
	columnVIP
	columnVIPPort
	columnServer
	columnServerPort
	columnState
	columnExpires
	columnOrigin
	columnEngine
	columnData
)

// columnNames are the names of the columns in the header. Listings have all up to Expires.
var columnNames = [...]string{"", "Pro", "FromIP", "FPrt", "ToIP", "TPrt", "DestIP", "DPrt", "State", "Expires", "Origin", "PEName", "PEData"}

// hasPort reports whether the next column is the port of this one.
func (c connectionColumn) hasPort() bool {
	return c == columnClient || c == columnVIP || c == columnServer
}

// connectionColumns are the columns of a listing. Entries without a persistence engine
// have nothing in its two columns.
type connectionColumns struct {
	all        []connectionColumn
	withoutPE  []connectionColumn
	hasPE      bool
	behindData int // columns behind the engine's data
}

// parseConnectionColumns parses the header. Columns that are not known are skipped later,
// and every entry must have them.
func parseConnectionColumns(header []byte) (c connectionColumns, err error) {
	for _, name := range appendFields(nil, header) {
		at := max(0, slices.Index(columnNames[:], string(name)))
		c.all = append(c.all, connectionColumn(at))
	}
	for want := columnProtocol; want <= columnExpires; want++ {
		at := slices.Index(c.all, want)
		isPort := want == columnClientPort || want == columnVIPPort || want == columnServerPort
		if at < 0 || isPort && (at == 0 || c.all[at-1] != want-1) {
			return c, fmt.Errorf("the header %q lacks the column %s", clip(string(header)), columnNames[want])
		}
	}
	engine, data := slices.Index(c.all, columnEngine), slices.Index(c.all, columnData)
	c.withoutPE = slices.DeleteFunc(slices.Clone(c.all), func(one connectionColumn) bool { return one >= columnEngine })
	if c.hasPE = engine >= 0; c.hasPE != (data == engine+1) || len(c.all)-len(c.withoutPE) > 2 {
		return c, fmt.Errorf("the header %q lacks the column PEName or PEData", clip(string(header)))
	}
	c.behindData = len(c.all) - 1 - data
	return c, nil
}

// of returns the columns of an entry's fields. It reports false if they do not fit.
func (c *connectionColumns) of(fields [][]byte) ([]connectionColumn, bool) {
	switch n := len(fields); {
	case n == len(c.withoutPE):
		return c.withoutPE, true
	case !c.hasPE:
		return nil, false
	case n == len(c.all), n > len(c.all) && c.behindData == 0: // data with spaces
		return c.all, true
	case n == len(c.all)-1 && c.behindData == 0: // an engine without data
		return c.all[:n], true
	}
	return nil, false
}
