package server

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// parseURLs reads a list as etcd does: scheme http, https, unix or unixs, a
// host and port (for sockets: any name), no path. The result is sorted and
// written out again by URL.String.
func parseURLs(flag, list string) ([]*url.URL, error) {
	var out []*url.URL
	for raw := range strings.SplitSeq(list, ",") {
		u, err := parseURL(strings.TrimSpace(raw))
		if err != nil {
			return nil, fmt.Errorf("--%s: %w", flag, err)
		}
		out = append(out, u)
	}
	slices.SortFunc(out, func(a, b *url.URL) int { return strings.Compare(a.String(), b.String()) })
	return out, nil
}

// CheckURLs tells what is wrong with a list of URLs, as a flag has it.
func CheckURLs(list string) error {
	for raw := range strings.SplitSeq(list, ",") {
		if _, err := parseURL(strings.TrimSpace(raw)); err != nil {
			return err
		}
	}
	return nil
}

func parseURL(raw string) (*url.URL, error) {
	if raw == "" {
		return nil, fmt.Errorf("no URL given")
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, err
	}
	switch u.Scheme {
	case "http", "https":
		if _, _, err := net.SplitHostPort(u.Host); err != nil {
			return nil, fmt.Errorf(`URL address does not have the form "host:port": %s`, raw)
		}
		if u.Path != "" && u.Path != "/" {
			return nil, fmt.Errorf("URL must not contain a path: %s", raw)
		}
		u.Path = ""
	case "unix", "unixs":
		if u.Host+u.Path == "" {
			return nil, fmt.Errorf("URL names no socket: %s", raw)
		}
	default:
		return nil, fmt.Errorf("URL scheme must be http, https, unix, or unixs: %s", raw)
	}
	return u, nil
}

// checkBind refuses names that would have to be resolved: what a server listens
// on must not depend on a name service.
func checkBind(flag string, urls []*url.URL) error {
	for _, u := range urls {
		if isSocket(u) || u.Hostname() == "localhost" || u.Hostname() == "" {
			continue
		}
		host, _, _ := strings.Cut(u.Hostname(), "%") // an IPv6 zone
		if net.ParseIP(host) == nil {
			return fmt.Errorf("--%s: expected IP in URL for binding (%s)", flag, u)
		}
	}
	return nil
}

func isSocket(u *url.URL) bool { return strings.HasPrefix(u.Scheme, "unix") }

func isTLS(u *url.URL) bool { return u.Scheme == "https" || u.Scheme == "unixs" }

func urlStrings(urls []*url.URL) []string {
	out := make([]string, len(urls))
	for i, u := range urls {
		out[i] = u.String()
	}
	return out
}

// parseCluster reads NAME=URL,NAME=URL… into sorted URLs by name.
func parseCluster(list string) (map[string][]string, error) {
	byName := map[string][]string{}
	for item := range strings.SplitSeq(list, ",") {
		name, raw, ok := strings.Cut(strings.TrimSpace(item), "=")
		if !ok || name == "" || raw == "" {
			return nil, fmt.Errorf("--initial-cluster: %q is not NAME=URL", item)
		}
		u, err := parseURL(raw)
		if err != nil {
			return nil, fmt.Errorf("--initial-cluster: member %s: %w", name, err)
		}
		byName[name] = append(byName[name], u.String())
	}
	owner := map[string]string{}
	for name, urls := range byName {
		slices.Sort(urls)
		for _, u := range urls {
			if other, taken := owner[u]; taken {
				return nil, fmt.Errorf("--initial-cluster: %s and %s have the same peer URL %s", min(name, other), max(name, other), u)
			}
			owner[u] = name
		}
	}
	return byName, nil
}
