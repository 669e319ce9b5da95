package main

import "github.com/cubbykv/cubby/config"

// reload reads again what files hold that the configuration names: SIGHUP asks
// for it. What cannot be used changes nothing.
func (p *process) reload() {
	l := p.live
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.current
	if c.LogFile != "" {
		p.reopenLog(c.LogFile)
	}
	secure := c.TLS.Port != 0 || c.TLS.HTTPPort != 0
	if !secure && c.JWTKeysFile == "" && c.LogFile == "" && c.Audit.File == "" {
		p.log.Info("SIGHUP: there is nothing to reload without tls-port, jwt-keys-file, logfile or audit-file")
		return
	}
	p.reopenAudit()
	if secure {
		p.reloadTLS(c)
	}
	if c.JWTKeysFile != "" {
		p.reloadJWT(c)
	}
}

func (p *process) reopenLog(path string) {
	if err := p.logOutput.use(path); err != nil {
		p.log.Error("SIGHUP: the log goes on where it went", "error", err)
		return
	}
	p.log.Info("SIGHUP: opened the log anew", "file", path)
}

func (p *process) reloadJWT(c *config.Config) {
	if err := p.setJWT(c); err != nil {
		p.log.Error("SIGHUP: the keys for JWTs stay what they were", "error", err)
		return
	}
	p.log.Info("SIGHUP: read the keys for JWTs again", "file", c.JWTKeysFile)
}
