package options

import "github.com/holdfast-db/holdfast/server"

// ours are flags that etcd doesn't have.
func ours() []Option {
	return []Option{
		{Name: "hardened", Help: "Limits stricter than etcd's: TLS 1.3 unless an older version or cipher suites are asked for, 1000 streams on a " +
			"connection, 16 KiB of header, 20 s for a client that takes nothing, 128 MiB of response, 10,000 watchers on a connection, 1000 requests of a user at once, no reverse DNS in the check of peers' certificates.",
			bind: truth(func(c *server.Config) *bool { return &c.Hardened })},
		{Name: "learner-watch",
			Help: "Serve watches while this member is a learner: events are right and in order, but may come late. etcd's learners refuse them.",
			bind: truth(func(c *server.Config) *bool { return &c.LearnerWatch })},
		{Name: "response-memory-bytes",
			Help: "Bytes that responses to clients may hold together while they are put together and sent; who asks for much then waits for its turn.",
			bind: natural64(func(c *server.Config) *uint64 { return &c.ResponseMemoryBytes })},
		{Name: "nospace-auto-disarm-percent",
			Help: "Disarm this member's alarm NOSPACE by itself once its size is below so many percent (up to 95) of the quota; 0 for never, as in etcd.",
			bind: natural(func(c *server.Config) *uint { return &c.NoSpaceDisarmPercent })},
		{Name: "enable-v3alpha", Help: "Serve the JSON gateway on /v3alpha/, too, where clients of etcd 3.2 and before look for it.",
			bind: truth(func(c *server.Config) *bool { return &c.EnableV3Alpha })},
	}
}
