package commands

import (
	"math/rand/v2"
	"strings"
)

func lolwutRows() []*Command {
	return []*Command{
		{Name: "lolwut", Arity: -1, Also: "readonly", ACL: "read fast", Group: "server", Since: "5.0.0", Syntax: "[VERSION version]",
			Doc: "Draws a wall of cubbies and names the version; the wall is another one every second.", Run: runLOLWUT},
	}
}

// What a cubby of the wall may hold; most are empty.
var cubbyContents = []string{"     ", "     ", "     ", " [=] ", " (o) ", " ||| ", " ~~~ ", " <3  ", " {}  ", " _U_ "}

func runLOLWUT(c *Call) error {
	if c.argc() >= 3 && strings.EqualFold(c.arg(1), "VERSION") {
		if _, err := c.intArg(2); err != nil { // there is one wall for all versions
			return err
		}
	}
	c.Out.Verbatim("txt", drawCubbies(uint64(c.Now/1000))+"Cubby ver. "+c.Engine.server.Version+" (Redis ver. "+compatibleVersion+")\n")
	return nil
}

func drawCubbies(seed uint64) string {
	const rows, columns = 4, 9
	rnd := rand.New(rand.NewPCG(seed, seed))
	board := strings.Repeat("+-----", columns) + "+\n"
	var wall strings.Builder
	for range rows {
		wall.WriteString(board)
		for range columns {
			wall.WriteString("|" + cubbyContents[rnd.IntN(len(cubbyContents))])
		}
		wall.WriteString("|\n")
	}
	return wall.String() + board
}
