package cli

import "fmt"

// DidYouMean returns a question with the names that resemble a word, or nothing.
func DidYouMean(word string, names []string, prefix string) string {
	best, most := "", (len(word)+1)/4
	for _, name := range names {
		if d := distance(word, name); d <= most {
			best, most = name, d-1
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s%s?", prefix, best)
}

// distance returns how many letters must be inserted, removed or exchanged to make one
// word of the other. Two neighbours that changed places count as one.
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
