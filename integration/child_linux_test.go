package integration

import (
	"os/exec"
	"syscall"
)

// dieWithUs ends the child when this process dies without a cleanup.
func dieWithUs(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
