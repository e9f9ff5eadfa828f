package cli

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/preroll/preroll/recorder/config"
	"github.com/preroll/preroll/recorder/control"
)

func settingsCommand() command {
	var asJSON bool
	return command{
		args:  [2]int{0, 99},
		flags: func(fs *flag.FlagSet) { fs.BoolVar(&asJSON, "json", false, "") },
		run: func(e *env) error {
			action, args := "show", e.args
			if len(args) > 0 {
				action, args = args[0], args[1:]
			}
			switch {
			case action == "show" && len(args) == 0:
				return showSettings(e, asJSON)
			case action == "get" && len(args) == 1:
				return getSetting(e, args[0])
			case action == "set" && len(args) > 0 && len(args)%2 == 0:
				return changeSettings(e, func(s *config.Settings) (faults config.ValidationErrors, err error) {
					for i := 0; i < len(args); i += 2 {
						value := args[i+1]
						if value == "-" { // a password is not for the list of processes
							if value, err = readLine(os.Stdin); err != nil {
								return nil, err
							}
						}
						faults = append(faults, config.Set(s, args[i], value)...)
					}
					return faults, nil
				})
			case action == "unset" && len(args) > 0:
				return changeSettings(e, func(s *config.Settings) (faults config.ValidationErrors, err error) {
					for _, key := range args {
						faults = append(faults, config.Unset(s, key)...)
					}
					return faults, nil
				})
			case action == "check" && len(args) <= 1:
				return checkSettings(e, args)
			case action == "schema" && len(args) == 0:
				b, err := config.Schema()
				if err == nil {
					_, err = e.out.Write(b)
				}
				return err
			}
			return errUsage("preroll settings takes show, get KEY, set KEY VALUE..., unset KEY..., check [FILE] or schema")
		},
	}
}

// settingsInForce returns the settings of the running recorder, or those of the file if none runs.
func settingsInForce(e *env) (s config.Settings, running bool, err error) {
	s, err = e.client.Settings(e.ctx)
	if errors.Is(err, control.ErrNotRunning) {
		s, _, err = config.Load(e.paths.File)
		return s, false, err
	}
	return s, true, err
}

func showSettings(e *env, asJSON bool) error {
	s, _, err := settingsInForce(e)
	if err != nil {
		return err
	}
	s = config.Public(s)
	if asJSON {
		return printJSON(e, s)
	}
	for _, k := range config.Keys(s) {
		v, _ := config.Get(s, k)
		fmt.Fprintf(e.out, "%s = %s\n", k, v)
	}
	return nil
}

func getSetting(e *env, key string) error {
	s, _, err := settingsInForce(e)
	if err != nil {
		return err
	}
	v, ok := config.Get(config.Public(s), key)
	if !ok {
		return errUsage(fmt.Sprintf("there is no setting %q; preroll settings shows all", key))
	}
	fmt.Fprintln(e.out, v)
	return nil
}

// changeSettings changes the settings of the running recorder, or those in the file.
func changeSettings(e *env, change func(*config.Settings) (config.ValidationErrors, error)) error {
	s, running, err := settingsInForce(e)
	if err != nil {
		return err
	}
	was := s.Clone()
	faults, err := change(&s)
	if err == nil {
		err = faults.Err()
	}
	switch {
	case err != nil:
	case reflect.DeepEqual(s, was): // nothing to do, as after a dry run
	case running:
		err = e.client.Apply(e.ctx, s)
	default:
		checks := append(config.Validate(s), config.CheckFolders(s, was)...)
		if err = append(checks, config.EnvironmentFaults(s)...).Err(); err == nil {
			err = config.Save(e.paths.File, s)
		}
	}
	var wrong config.ValidationErrors
	var refused *control.Error
	if errors.As(err, &wrong) || errors.As(err, &refused) && len(refused.Faults) > 0 {
		return &config.FileError{Path: e.paths.File, Err: fmt.Errorf("nothing was changed:\n%w", err)}
	}
	return err
}

func checkSettings(e *env, args []string) error {
	file := e.paths.File
	if len(args) == 1 {
		file = args[0]
	}
	s, found, err := config.Load(file)
	if err != nil {
		return err
	}
	if !found && len(args) == 1 {
		return &config.FileError{Path: file, Err: &os.PathError{Op: "open", Path: file, Err: os.ErrNotExist}}
	}
	if err := config.CheckFolders(s, config.Settings{}).Err(); err != nil {
		return &config.FileError{Path: file, Err: err}
	}
	if !found {
		fmt.Fprintf(e.out, "%s does not exist yet; the defaults are well\n", file)
		return nil
	}
	fmt.Fprintf(e.out, "%s is well: %s\n", file, plural(len(s.Cameras), "camera"))
	return nil
}

// maxLine is the max length of a value that is read from standard input, in bytes.
const maxLine = 64 << 10

func readLine(in io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(in, maxLine)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}
