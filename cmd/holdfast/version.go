package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/holdfast-db/holdfast/server/api"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			version, revision := buildVersion()
			fmt.Fprintf(cmd.OutOrStdout(), "holdfast %s (%s), etcd API %s, %s %s/%s\n",
				version, revision, api.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		},
	}
}

// versionText answers --version in etcd's words: tools that start "etcd" ask
// for it and parse the first line.
func versionText() string {
	_, revision := buildVersion()
	return fmt.Sprintf("etcd Version: %s\nGit SHA: %s\nGo Version: %s\nGo OS/Arch: %s/%s\n",
		api.Version, revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func buildVersion() (version, revision string) {
	version, revision = "(devel)", "unknown"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version, revision
	}
	if info.Main.Version != "" {
		version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 9 {
			revision = s.Value[:9]
		}
	}
	return version, revision
}
