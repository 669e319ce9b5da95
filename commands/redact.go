package commands

import "strings"

// redacted stands for what no log may hold.
const redacted = "(redacted)"

// shownArgs returns the arguments of a command as the slow log and MONITOR may
// show them: secrets are replaced. config says which directives hold some.
func shownArgs(cmd *Command, argv [][]byte, config Config) [][]byte {
	if cmd.Secrets == nil {
		return argv
	}
	shown := append([][]byte(nil), argv...)
	cmd.Secrets(argv, config, func(i int) { shown[i] = []byte(redacted) })
	return shown
}

// secretsOfAuth are all arguments: the name tells a password that was put in
// the wrong place.
func secretsOfAuth(argv [][]byte, _ Config, hide func(int)) {
	for i := 1; i < len(argv); i++ {
		hide(i)
	}
}

func secretsOfHello(argv [][]byte, _ Config, hide func(int)) {
	for i := 2; i < len(argv); i++ {
		if strings.EqualFold(borrow(argv[i]), "AUTH") {
			for j := i + 1; j <= i+2 && j < len(argv); j++ {
				hide(j)
			}
			i += 2
		}
	}
}

func secretsOfConfigSet(argv [][]byte, config Config, hide func(int)) {
	for i := 2; i+1 < len(argv); i += 2 {
		if config == nil || config.Secret(string(argv[i])) {
			hide(i + 1)
		}
	}
}
