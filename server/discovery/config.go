package discovery

import (
	"errors"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// Config says which service to ask, and how. It is off without Endpoints.
type Config struct {
	// Token names the new cluster in the service.
	Token string
	// Endpoints are the service's, separated by commas.
	Endpoints string

	DialTimeout      time.Duration // also of a login
	RequestTimeout   time.Duration // of one request; failed ones are sent again
	KeepAliveTime    time.Duration // between pings
	KeepAliveTimeout time.Duration // for the answer to one

	// InsecureTransport is no TLS, unless an endpoint is an https URL;
	// InsecureSkipVerify is TLS with anybody.
	InsecureTransport, InsecureSkipVerify bool
	// Cert and Key are files with what this member shows, CACert with whom it
	// trusts; "": the machine's.
	Cert, Key, CACert string
	// User may hold the password after a colon, instead of Password.
	User, Password string
}

// DefaultConfig has the times and the transport that etcd has.
func DefaultConfig() Config {
	return Config{
		DialTimeout: 2 * time.Second, RequestTimeout: 5 * time.Second,
		KeepAliveTime: 2 * time.Second, KeepAliveTimeout: 6 * time.Second,
		InsecureTransport: true,
	}
}

// Wanted tells whether there is a service to ask.
func (c *Config) Wanted() bool { return c.Endpoints != "" }

// Check tells what is wrong, in etcd's words where it has some.
func (c *Config) Check() error {
	switch {
	case (c.Token == "") != (c.Endpoints == ""):
		return errors.New("both --discovery-token and --discovery-endpoints must be set")
	case !c.Wanted():
		return nil
	case strings.Contains(c.Token, "/"):
		return errors.New("--discovery-token must not contain a slash")
	case c.RequestTimeout <= 0:
		return errors.New("--discovery-request-timeout must be >0")
	case (c.Cert == "") != (c.Key == ""):
		return errors.New("both --discovery-cert and --discovery-key must be set")
	}
	if user, password := c.login(); (user == "") != (password == "") {
		return errors.New("--discovery-user needs a password, as USER:PASSWORD or with --discovery-password")
	}
	for _, endpoint := range c.endpoints() {
		if strings.TrimSpace(endpoint) == "" {
			return errors.New("--discovery-endpoints must not contain empty endpoints")
		}
	}
	return nil
}

func (c *Config) endpoints() []string { return strings.Split(c.Endpoints, ",") }

// login is who asks; "" for nobody.
func (c *Config) login() (user, password string) {
	if name, rest, ok := strings.Cut(c.User, ":"); ok && c.Password == "" {
		return name, rest
	}
	return c.User, c.Password
}

// dial connects to the service. It waits for an answer only if it has to log in.
func (c *Config) dial() (*clientv3.Client, error) {
	user, password := c.login()
	config, err := clientv3.NewClientConfig(&clientv3.ConfigSpec{
		Endpoints: c.endpoints(), RequestTimeout: c.RequestTimeout, DialTimeout: c.DialTimeout,
		KeepAliveTime: c.KeepAliveTime, KeepAliveTimeout: c.KeepAliveTimeout,
		Secure: &clientv3.SecureConfig{Cert: c.Cert, Key: c.Key, Cacert: c.CACert,
			InsecureTransport: c.InsecureTransport, InsecureSkipVerify: c.InsecureSkipVerify},
		Auth: &clientv3.AuthConfig{Username: user, Password: password},
	}, zap.NewNop())
	if err != nil {
		return nil, err
	}
	config.Logger = zap.NewNop() // what goes wrong is in the errors
	return clientv3.New(*config)
}
