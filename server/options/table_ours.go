package options

import "github.com/holdfast-db/holdfast/server"

// ours are flags that etcd doesn't have.
func ours() []Option {
	return []Option{
		{Name: "hardened", Help: "Limits stricter than etcd's: TLS 1.3 unless an older version or cipher suites are asked for, 1000 streams on a " +
			"connection, 16 KiB of header, 20 s for a client that takes nothing, no reverse DNS in the check of peers' certificates.",
			bind: truth(func(c *server.Config) *bool { return &c.Hardened })},
		{Name: "enable-v3alpha", Help: "Serve the JSON gateway on /v3alpha/, too, where clients of etcd 3.2 and before look for it.",
			bind: truth(func(c *server.Config) *bool { return &c.EnableV3Alpha })},
	}
}
