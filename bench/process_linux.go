package main

import (
	"os/exec"
	"syscall"
)

// dieWithParent lets the kernel end the server when the benchmark is killed.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
