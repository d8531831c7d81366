package options

import "github.com/holdfast-db/holdfast/server"

// ours are flags that etcd doesn't have.
func ours() []Option {
	return []Option{
		{Name: "enable-v3alpha", Help: "Serve the JSON gateway on /v3alpha/, too, where clients of etcd 3.2 and before look for it.",
			bind: truth(func(c *server.Config) *bool { return &c.EnableV3Alpha })},
	}
}
