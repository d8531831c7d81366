package tracing

import "errors"

// SamplingRateMax is every request.
const SamplingRateMax = 1_000_000

// Config is what an operator says.
type Config struct {
	Enabled bool
	// Address is the collector's, host and port.
	Address string
	// ServiceName is that of all members; InstanceID this one's, "" for none.
	ServiceName, InstanceID string
	// SamplingRate is how many requests in a million are traced that don't say
	// themselves whether they are.
	SamplingRate int
}

// DefaultConfig is etcd's.
func DefaultConfig() Config {
	return Config{Address: "localhost:4317", ServiceName: "etcd"}
}

// Check tells what is wrong, in etcd's words. What isn't enabled may be anything.
func (c *Config) Check() error {
	switch {
	case !c.Enabled:
		return nil
	case c.SamplingRate < 0:
		return errors.New("--distributed-tracing-sampling-rate: tracing sampling rate must be positive")
	case c.SamplingRate > SamplingRateMax:
		return errors.New("--distributed-tracing-sampling-rate: tracing sampling rate must be less than 1000000")
	}
	return nil
}
