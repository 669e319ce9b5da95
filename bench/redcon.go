package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/tidwall/redcon"
)

// emptyHandler is the first argument that turns this program into a server.
const emptyHandler = "empty-handler"

// serveEmptyHandler answers every request at once: a value to GET, OK to the
// rest. It shows what the network, the generator and redcon leave to a server.
func serveEmptyHandler(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("%s takes a port and a value size", emptyHandler)
	}
	size, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	value := valueOf(size)
	fmt.Fprintln(os.Stdout, "ready")
	return redcon.ListenAndServe("127.0.0.1:"+args[0],
		func(conn redcon.Conn, cmd redcon.Command) {
			if len(cmd.Args) > 0 && strings.EqualFold(string(cmd.Args[0]), "get") {
				conn.WriteBulk(value)
				return
			}
			conn.WriteString("OK")
		},
		func(redcon.Conn) bool { return true },
		func(redcon.Conn, error) {})
}
