// Config keeps an application's settings with versions, a history and a way back.
//
//	go run ./config set db localhost:3306 --note "first"
//	go run ./config set db localhost:9999 --note "oops"
//	go run ./config history db
//	go run ./config rollback db 1
//	go run ./config get db
//
// Readers read `config/NAME`, a plain value. Beside it stands `config-history/NAME/0000000n`, one key a version, written
// in the same transaction: there is no moment at which a version exists without its entry. The store's own old
// revisions would not do as a history, for compaction takes them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/holdfast-db/holdfast/examples/go/connect"
)

const usage = `config: an application's settings, with versions

  config set NAME VALUE        write a new version        [--note TEXT]
  config get NAME              print the value
  config history NAME          print all versions
  config rollback NAME VERSION make an old version's value the newest one
  config watch NAME            print changes until Ctrl-C
`

func main() {
	note := flag.String("note", "", "why (set, rollback)")
	flag.Usage = func() { fmt.Fprint(flag.CommandLine.Output(), usage); flag.PrintDefaults() }
	words := parse(os.Args[1:])
	ctx, stop := connect.Context()
	defer stop()
	if err := run(ctx, os.Stdout, *note, words); err != nil {
		fmt.Fprintln(os.Stderr, "config:", err)
		os.Exit(1)
	}
}

// parse lets flags stand behind the words as well as before them.
func parse(args []string) (words []string) {
	for len(args) > 0 {
		_ = flag.CommandLine.Parse(args) // ends the program on an error
		if args = flag.Args(); len(args) > 0 {
			words, args = append(words, args[0]), args[1:]
		}
	}
	return words
}

func run(ctx context.Context, out io.Writer, note string, words []string) error {
	client, err := connect.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	s := store{client: client, by: os.Getenv("USER")}
	if len(words) == 2 && words[0] == "watch" {
		return s.watch(ctx, out, words[1])
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second) // without a cluster, say so in the end
	defer cancel()
	switch {
	case len(words) == 3 && words[0] == "set":
		return report(out, words[1])(s.set(ctx, words[1], words[2], note))
	case len(words) == 2 && words[0] == "get":
		value, err := s.get(ctx, words[1])
		if err == nil {
			fmt.Fprintln(out, value)
		}
		return err
	case len(words) == 2 && words[0] == "history":
		return s.print(ctx, out, words[1])
	case len(words) == 3 && words[0] == "rollback":
		version, err := strconv.Atoi(words[2])
		if err != nil || version < 1 {
			return fmt.Errorf("%q is no version: `config history %s` lists them", words[2], words[1])
		}
		return report(out, words[1])(s.rollback(ctx, words[1], version, note))
	}
	flag.Usage()
	return errors.New("what shall be done?")
}

func report(out io.Writer, name string) func(int, error) error {
	return func(version int, err error) error {
		if err == nil {
			fmt.Fprintf(out, "%s is at version %d\n", name, version)
		}
		return err
	}
}

func (s store) print(ctx context.Context, out io.Writer, name string) error {
	versions, err := s.history(ctx, name)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "VERSION\tVALUE\tBY\tAT\tNOTE")
	for i, v := range versions {
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\n", i+1, v.Value, v.By, v.At.Format(time.DateTime), v.Note)
	}
	return table.Flush()
}
