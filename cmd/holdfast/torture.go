package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast-db/holdfast/internal/torture"
)

const tortureHelp = `Start a cluster of real processes on this machine, spoil everything that holds
it up while clients write, and check what it promised.

Faults, of which --faults names those to use:
  kill       SIGKILL to any member, the leader, a majority
  killall    SIGKILL to all members at once
  stop       SIGSTOP, and SIGCONT later
  cut        links between members, in both directions or one
  delay      of what members send to each other
  churn      a member is removed and joins again with nothing, as voter or learner
  roll       each member in turn is stopped as an operator does it, and started
  rebuild    each member in turn is removed and joins again with nothing
  renew      with --secure: every certificate is replaced, then the authority
             itself, member by member and without a restart; permissions change
  powerloss  a killed member loses what it did not sync: the server keeps that in
             its own memory, and writes it to the file only when it is synced
  slowdisk   syncs take long, or stall
  faildisk   writes or syncs fail, or the disk is full

Checked after each round: every acknowledged write is there and none is there
twice, the history is linearizable, watchers missed nothing and saw nothing twice,
all members hold the same.

The seed decides requests and faults; their timing is the machine's. Flags behind --
go to the servers.

What lies between members, --network says:
  namespaces  each member has a network namespace and an address of its own, and
              this process carries packets between them: a cut is as silent as that
              of a cable, TCP finds out by itself. Linux, with the rights of root;
              addresses are of 198.18.0.0/15. Nothing is left behind, not even by
              kill -9
  proxy       TCP proxies in this process, on loopback; nothing needs root. They
              hold bytes back, but acknowledge them. Which member dialled is known
              on Linux only: elsewhere a cut is of all that a member receives
  auto        namespaces where they are possible, proxies elsewhere

Exit codes: 0 passed, 10 a member ended by itself, 11 a promise was broken, 12 the
cluster did not come back after all was mended.`

const tortureExample = `  # a minute of everything
  holdfast torture --for 1m

  # half an hour, with a page to look at
  holdfast torture --for 30m --report torture-report

  # five members, only cut links and kills
  holdfast torture --nodes 5 --faults cut,kill,killall --for 5m

  # silent cuts, as of a cable
  sudo holdfast torture --network namespaces --faults cut,delay,kill --for 5m

  # TLS everywhere, users with passwords and roles: all certificates, all members
  # and all processes are replaced in turn, in each round
  holdfast torture --secure --each --faults roll,rebuild,renew --for 5m

  # can it fail? a server that doesn't sync must lose writes, and be found out
  holdfast torture --faults killall,powerloss -- --unsafe-no-fsync

  # the same on another server that takes etcd's flags
  holdfast torture --binary bin/etcd --for 1m`

// tortureFlags are the command's settings.
type tortureFlags struct {
	config  torture.Config
	faults  string
	network string
	output  string
	dir     string
}

func newTorture() *cobra.Command {
	f := &tortureFlags{config: torture.Defaults()}
	c := &cobra.Command{
		Use: "torture [FLAGS] [-- FLAGS OF SERVE]", Short: "Kill, cut and starve real processes, and check what they promised",
		Long: tortureHelp, Example: tortureExample,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 && c.ArgsLenAtDash() != 0 {
				return fmt.Errorf("%q: flags for the servers stand behind --", args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { f.config.Args = args; return f.run(c) },
	}
	fs := c.Flags()
	fs.DurationVar(&f.config.For, "for", 0, "begin rounds for so long")
	fs.IntVar(&f.config.Rounds, "rounds", 0, "rounds at most (0: as --for has it, or one)")
	fs.DurationVar(&f.config.Length, "round", 30*time.Second, "length of a round; checks follow each")
	fs.IntVar(&f.config.Members, "nodes", f.config.Members, "members, 1 to 9")
	fs.Uint64Var(&f.config.Seed, "seed", 0, "of requests and faults (0: drawn)")
	fs.StringVar(&f.faults, "faults", "all", "kinds separated by commas, all or none")
	fs.StringVar(&f.network, "network", "auto", "what links are made of: auto, proxy or namespaces")
	fs.BoolVar(&f.config.Secure, "secure", false, "certificates on both sides of every connection, users with passwords and roles")
	fs.BoolVar(&f.config.Each, "each", false, "a round goes on until each thing that can happen to processes was done once")
	fs.IntVar(&f.config.Writers, "writers", f.config.Writers, "concurrent clients that write")
	fs.IntVar(&f.config.Keys, "keys", f.config.Keys, "keys that they write to")
	fs.IntVar(&f.config.Watchers, "watchers", f.config.Watchers, "concurrent watchers")
	fs.StringVar(&f.config.KeepDir, "report", "", "directory for a page with timelines, the figures as JSON, and what failed")
	fs.StringVarP(&f.output, "output", "o", "text", "text or json")
	fs.StringVar(&f.config.Binary, "binary", "", "another server that takes etcd's flags; it keeps its own disk")
	fs.StringVar(&f.dir, "dir", "", "directory for data and logs, kept afterwards (default: a temporary one)")
	return c
}

func (f *tortureFlags) run(c *cobra.Command) error {
	if err := f.check(); err != nil {
		return exitWith(exitUsage, err)
	}
	var why error
	if f.config.Network, why = f.config.Network.Resolve(); why != nil {
		fmt.Fprintf(c.ErrOrStderr(), "links are proxies: %v\n", why)
	}
	remove, err := f.prepare()
	if err != nil {
		return exitWith(exitNo, err)
	}
	defer remove()
	ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	fmt.Fprintf(c.ErrOrStderr(), "%s\n", f.config.Command())
	f.config.OnStatus = func(s torture.Status) { fmt.Fprintf(c.ErrOrStderr(), "\r\x1b[K%v", s) }
	f.config.OnRound = func(r torture.Round) { fmt.Fprintf(c.ErrOrStderr(), "\r\x1b[K%v\n", r) }
	result, err := torture.Run(ctx, f.config)
	fmt.Fprint(c.ErrOrStderr(), "\r\x1b[K")
	if err != nil {
		return exitWith(exitNo, err)
	}
	if f.output == "json" {
		err = result.JSON(c.OutOrStdout())
	} else {
		result.Text(c.OutOrStdout())
	}
	if err != nil || result.OK() {
		return err
	}
	if result.Class == torture.Passed {
		return exitWith(exitNo, errors.New(result.Reason))
	}
	return exitWith(result.Class.ExitCode(), fmt.Errorf("%v (seed %d)", result.Class, f.config.Seed))
}

// check reads what pflag can't.
func (f *tortureFlags) check() (err error) {
	c := &f.config
	switch {
	case c.Members < 1 || c.Members > 9:
		return fmt.Errorf("--nodes must be 1 to 9")
	case f.output != "text" && f.output != "json":
		return fmt.Errorf("--output must be text or json")
	}
	if c.Faults, err = torture.ParseFaults(f.faults); err != nil {
		return fmt.Errorf("--faults: %w", err)
	}
	if c.Network, err = torture.ParseNetwork(f.network); err != nil {
		return fmt.Errorf("--network: %w", err)
	}
	if f.faults == "all" {
		c.Faults = c.AllFaults()
	}
	if slices.Contains(c.Faults, torture.Renew) && !c.Secure {
		return fmt.Errorf("--faults: %s needs --secure", torture.Renew)
	}
	if c.Binary != "" {
		if f.faults == "all" {
			c.Faults = torture.FaultsOfAnyServer()
		}
		if c.Binary, err = filepath.Abs(c.Binary); err != nil {
			return err
		}
	}
	if c.Rounds == 0 && c.For == 0 {
		c.Rounds = 1
	}
	if c.Seed == 0 {
		c.Seed = uint64(time.Now().UnixNano())
	}
	return nil
}

// prepare finds the binary and a folder. What it returns removes the folder if nobody asked for it.
func (f *tortureFlags) prepare() (remove func(), err error) {
	// The client library reports each retry; with servers dying all the time that would be most of the output.
	os.Setenv("ETCD_CLIENT_DEBUG", "fatal")
	remove = func() {}
	if f.config.Binary == "" {
		if f.config.Binary, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	f.config.Dir = f.dir
	if f.dir == "" {
		if f.config.Dir, err = os.MkdirTemp("", "holdfast-torture-"); err != nil {
			return nil, err
		}
		dir := f.config.Dir
		return func() { os.RemoveAll(dir) }, nil
	}
	f.config.Dir, err = filepath.Abs(f.dir)
	if err != nil {
		return nil, err
	}
	return remove, os.MkdirAll(f.config.Dir, 0o700)
}
