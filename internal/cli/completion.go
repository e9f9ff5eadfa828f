package cli

import (
	"flag"
	"fmt"
	"slices"
	"strings"

	"github.com/preroll/preroll/internal/service"
)

// shells are the shells that completion writes scripts for.
var shells = []string{"bash", "zsh", "fish", "powershell"}

// completion prints a script that completes commands and options, made from the commands themselves.
func completion(d Desktop) command {
	return command{args: [2]int{1, 1}, run: func(e *env) error {
		script, ok := Completion(d, e.args[0])
		if !ok {
			return errUsage(fmt.Sprintf("there is no completion for %q; there are %s", e.args[0],
				strings.Join(shells, ", ")))
		}
		_, err := fmt.Fprint(e.out, script)
		return err
	}}
}

// word is a command with the words that may follow it.
type word struct {
	name string
	next []string
}

// words returns all commands. The words behind a command are taken from the help, and its options from its flags.
func words(d Desktop) (list []word) {
	all := commands(d)
	for name, c := range all {
		if name == "" {
			continue
		}
		var next []string
		for line := range strings.Lines(usage) {
			head, _, _ := strings.Cut(strings.TrimSpace(line), "  ")
			f := strings.Fields(head)
			if strings.HasPrefix(line, "  preroll ") && len(f) > 2 && f[1] == name && f[2] == strings.ToLower(f[2]) {
				next = append(next, strings.Split(strings.Trim(f[2], "[]"), "|")...)
			}
		}
		switch name {
		case "service":
			next = append(next, service.Actions...)
		case "completion":
			next = append(next, shells...)
		}
		fs := flag.NewFlagSet("", flag.ContinueOnError)
		if c.flags != nil {
			c.flags(fs)
		}
		fs.VisitAll(func(f *flag.Flag) {
			if len(f.Name) > 1 && strings.Contains(usage, "--"+f.Name) { // the others are for programs
				next = append(next, "--"+f.Name)
			}
		})
		next = append(next, "--config", "--system", "--log-level", "--log-format", "--help")
		slices.Sort(next)
		next = slices.DeleteFunc(slices.Compact(next), func(w string) bool {
			return strings.Trim(w, "-abcdefghijklmnopqrstuvwxyz") != "" || strings.Trim(w, "-") == ""
		})
		list = append(list, word{name, next})
	}
	var names []string
	for _, w := range list {
		names = append(names, w.name)
	}
	list = append(list, word{"help", names})
	slices.SortFunc(list, func(a, b word) int { return strings.Compare(a.name, b.name) })
	return list
}

// Completion returns the script for a shell, and reports whether there is one.
func Completion(d Desktop, shell string) (string, bool) {
	list := words(d)
	var names []string
	for _, w := range list {
		names = append(names, w.name)
	}
	var b strings.Builder
	all := strings.Join(names, " ")
	switch shell {
	case "bash":
		fmt.Fprintf(&b, "# bash completion for preroll\n_preroll() {\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} words=%q\n"+
			"\tif [ \"$COMP_CWORD\" -gt 1 ]; then\n\t\tcase ${COMP_WORDS[1]} in\n", all)
		for _, w := range list {
			fmt.Fprintf(&b, "\t\t%s) words=%q ;;\n", w.name, strings.Join(w.next, " "))
		}
		b.WriteString("\t\t*) words= ;;\n\t\tesac\n\tfi\n\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n}\n" +
			"complete -o default -F _preroll preroll\n")
	case "zsh":
		fmt.Fprintf(&b, "#compdef preroll\n_preroll() {\nif (( CURRENT == 2 )); then\n\tcompadd -- %s\n\treturn\nfi\n"+
			"case ${words[2]} in\n", all)
		for _, w := range list {
			fmt.Fprintf(&b, "%s) compadd -- %s ;;\n", w.name, strings.Join(w.next, " "))
		}
		b.WriteString("*) _files ;;\nesac\n}\n" + // it is a file in fpath, or it is read by source <(...)
			"if [ \"${funcstack[1]}\" = _preroll ]; then _preroll \"$@\"; else compdef _preroll preroll; fi\n")
	case "fish":
		fmt.Fprintf(&b, "complete -c preroll -n __fish_use_subcommand -f -a %q\n", all)
		for _, w := range list {
			for _, n := range w.next {
				what := fmt.Sprintf("-f -a %q", n)
				if long, ok := strings.CutPrefix(n, "--"); ok {
					what = "-l " + long
				}
				fmt.Fprintf(&b, "complete -c preroll -n '__fish_seen_subcommand_from %s' %s\n", w.name, what)
			}
		}
	case "powershell":
		b.WriteString("Register-ArgumentCompleter -Native -CommandName preroll -ScriptBlock {\n" +
			"\tparam($word, $ast, $position)\n\t$of = @{\n")
		for _, w := range list {
			fmt.Fprintf(&b, "\t\t'%s' = '%s'\n", w.name, strings.Join(w.next, " "))
		}
		b.WriteString("\t}\n\t$words = $ast.CommandElements | ForEach-Object { \"$_\" }\n\t$list = $of.Keys\n" +
			"\tif ($words.Count -gt 2 -or ($words.Count -eq 2 -and $word -eq '')) { $list = $of[$words[1]] -split ' ' }\n" +
			"\t$list | Where-Object { $_ -like \"$word*\" } | Sort-Object | ForEach-Object {\n" +
			"\t\t[System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)\n\t}\n}\n")
	default:
		return "", false
	}
	return b.String(), true
}
