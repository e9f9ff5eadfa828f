package words

import "strings"

// Verdict translates what became of a connection to the mail server, which the engine puts together of clauses.
func Verdict(text string) string {
	if i := strings.LastIndex(text, " ("); i > 0 && strings.HasSuffix(text, " times)") {
		return Verdict(text[:i]) + Say(text[i:])
	}
	for _, clause := range []string{"; the camera cut ", "; it is "} {
		if i := strings.LastIndex(text, clause); i > 0 {
			return Verdict(text[:i]) + Say(text[i:])
		}
	}
	t := Say(text)
	const silent, gaveUp = "camera fell silent", "camera gave up"
	if rest, ok := strings.CutPrefix(text, silent); ok && t == text { // the same with another end
		if t = Say(gaveUp + rest); t != gaveUp+rest {
			return Say(silent) + strings.TrimPrefix(t, Say(gaveUp))
		}
		return text
	}
	return t
}
