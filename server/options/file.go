package options

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// fileBytesMax bounds a configuration file, so that a wrong path (a device, a
// log) ends in an error.
const fileBytesMax = 1 << 20

// readFile sets options from the configuration file: YAML or JSON. Errors name
// the file and the key.
func (s *Set) readFile() error {
	if s.File == "" {
		return nil
	}
	info, err := os.Stat(s.File)
	if err != nil {
		return fmt.Errorf("--config-file: %w", err)
	}
	if info.Size() > fileBytesMax {
		return fmt.Errorf("--config-file: %s has %d bytes, more than a configuration needs (%d)", s.File, info.Size(), fileBytesMax)
	}
	content, err := os.ReadFile(s.File)
	if err != nil {
		return fmt.Errorf("--config-file: %w", err)
	}
	if err := s.readYAML(s.File, content); err != nil {
		return fmt.Errorf("%s: %w", s.File, err)
	}
	return nil
}

func (s *Set) readYAML(path string, content []byte) error {
	asJSON, err := yaml.YAMLToJSONStrict(content)
	if err != nil {
		return err
	}
	var tree map[string]any
	d := json.NewDecoder(bytes.NewReader(asJSON))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		return fmt.Errorf("not a list of keys and values: %w", err)
	}
	return s.walk(path, "", tree)
}

// walk sets what stands in a part of the file. null means: not set.
func (s *Set) walk(path, prefix string, tree map[string]any) error {
	for _, name := range sortedKeys(tree) {
		key, value := prefix+name, tree[name]
		if value == nil {
			continue
		}
		if inner, nested := value.(map[string]any); nested && s.isSection(key) {
			if err := s.walk(path, key+".", inner); err != nil {
				return err
			}
			continue
		}
		r := s.byKey(key)
		if r == nil {
			return s.unknownKey(key)
		}
		text, err := r.fromFile(value)
		if err == nil {
			err = r.set(text, Origin{FromFile, path})
		}
		if err != nil {
			return fmt.Errorf("%s: invalid value: %w", key, err)
		}
	}
	return nil
}

func sortedKeys(tree map[string]any) []string {
	keys := make([]string, 0, len(tree))
	for k := range tree {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (s *Set) byKey(key string) *row {
	i := slices.IndexFunc(s.rows, func(r *row) bool { return r.key() == key })
	if i < 0 {
		return nil
	}
	return s.rows[i]
}

// isSection tells whether keys stand below this one.
func (s *Set) isSection(key string) bool {
	return slices.ContainsFunc(s.rows, func(r *row) bool { return strings.HasPrefix(r.key(), key+".") })
}

func (s *Set) unknownKey(key string) error {
	if r := s.byName[key]; r != nil && !r.FileOnly {
		return fmt.Errorf("unknown key %q: in a file it is %s", key, r.key())
	}
	return fmt.Errorf("unknown key %q", key)
}

// fromFile writes a value as the command line would. Durations are whole
// nanoseconds, as etcd has them, or texts such as "10m".
func (r *row) fromFile(value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case bool:
		return fmt.Sprint(v), nil
	case json.Number:
		return r.number(v)
	case []any:
		if _, ok := r.value.(*listValue); !ok {
			return "", fmt.Errorf("a list where one value is expected")
		}
		parts := make([]string, len(v))
		for i, item := range v {
			text, ok := item.(string)
			if !ok || strings.Contains(text, ",") {
				return "", fmt.Errorf("item %d of the list is not a plain text: %v", i+1, item)
			}
			parts[i] = text
		}
		return strings.Join(parts, ","), nil
	default:
		return "", fmt.Errorf("keys and values where one value is expected")
	}
}

func (r *row) number(n json.Number) (string, error) {
	if !r.isDuration() {
		return n.String(), nil
	}
	ns, err := n.Int64()
	if err != nil {
		return "", fmt.Errorf(`%s: a duration is a whole number of nanoseconds, or a text such as "10m"`, n)
	}
	return time.Duration(ns).String(), nil
}

func (r *row) isDuration() bool {
	getter, ok := r.value.(flag.Getter)
	if !ok {
		return false
	}
	_, ok = getter.Get().(time.Duration)
	return ok
}
