package cli

import "fmt"

func away() command {
	return command{args: [2]int{0, 1}, run: func(e *env) error {
		switch {
		case len(e.args) == 0:
		case e.args[0] == "on" || e.args[0] == "off":
			if err := e.client.SetAway(e.ctx, e.args[0] == "on"); err != nil {
				return err
			}
		default:
			return errUsage("away takes on or off")
		}
		s, err := e.client.Status(e.ctx)
		if err != nil {
			return err
		}
		if s.Away {
			fmt.Fprintln(e.out, "You are away: targets with away = true get word.")
		} else {
			fmt.Fprintln(e.out, "You are at home: targets with away = true get no word.")
		}
		return nil
	}}
}
