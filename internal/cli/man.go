package cli

import (
	"fmt"
	"strings"
	"time"
)

// Man returns the manual page preroll(1) in roff (man(7)), made from the help, so that both say the same. The date is
// that of the release.
func Man(version string, date time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH PREROLL 1 %q %q\n.SH NAME\n"+
		"preroll \\- saves the seconds before something happened in front of a camera\n",
		date.UTC().Format("2006-01-02"), "Preroll "+version)
	b.WriteString(".SH SYNOPSIS\n.B preroll\n[\\fICOMMAND\\fR] [\\fIOPTIONS\\fR]\n.SH DESCRIPTION\n" +
		"The last seconds of each camera lie in memory and nowhere else. The camera detects that something happens, and " +
		"sends an alarm mail to Preroll. That saves a clip, which begins before the alarm.\n.PP\n" +
		"Without a command, Preroll shows its tray, and records unless a recorder is running already.\n.SH COMMANDS\n")
	inCommands := true
	for line := range strings.Lines(strings.TrimPrefix(usage, strings.SplitAfterN(usage, "\n\n", 2)[0])) {
		line = strings.TrimRight(line, "\n")
		trimmed := strings.TrimSpace(line)
		if inCommands && line == "All take" {
			inCommands = false
			b.WriteString(".SH OPTIONS\nAll commands take these.\n")
			continue
		}
		head, rest, _ := strings.Cut(trimmed, "  ")
		switch {
		case trimmed == "":
		case strings.HasPrefix(line, "  preroll "), strings.HasPrefix(line, "      -"):
			if strings.HasPrefix(line, "      -") && inCommands {
				b.WriteString(".RS\n")
			}
			fmt.Fprintf(&b, ".TP\n\\fB%s\\fR\n", roff(head))
			if t := strings.TrimSpace(rest); t != "" {
				b.WriteString(roff(t) + "\n")
			}
			if strings.HasPrefix(line, "      -") && inCommands {
				b.WriteString(".RE\n")
			}
		case strings.HasPrefix(line, "Exit: "):
			b.WriteString(".SH \"EXIT STATUS\"\n" + roff(strings.TrimPrefix(line, "Exit: ")) + "\n")
		case strings.HasPrefix(line, "and PREROLL_"):
			b.WriteString(".PP\nAlso " + roff(strings.TrimPrefix(line, "and ")) + "\n")
		default:
			b.WriteString(roff(trimmed) + "\n")
		}
	}
	b.WriteString(".SH FILES\n.TP\n\\fI~/.config/preroll/preroll.toml\\fR\nthe settings of a user\n" +
		".TP\n\\fI/var/lib/preroll/preroll.toml\\fR\nthe settings of the service of the machine\n" +
		".SH \"SEE ALSO\"\nThe documentation: \\fIhttps://github.com/preroll/preroll\\fR\n")
	return b.String()
}

// roff escapes a text for roff.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}
