//go:build suite

package main

// What the suites' tests import; go.mod would forget it, for they aren't ours.
import (
	_ "github.com/anishathalye/porcupine"
	_ "github.com/coreos/go-semver/semver"
	_ "github.com/golang/protobuf/proto"
	_ "github.com/google/go-cmp/cmp"
	_ "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	_ "github.com/prometheus/common/expfmt"
	_ "github.com/prometheus/common/model"
	_ "github.com/stretchr/testify/assert"
	_ "github.com/stretchr/testify/require"
	_ "go.etcd.io/etcd/tests/v3/common"
	_ "go.etcd.io/etcd/tests/v3/framework/e2e"
	_ "go.etcd.io/etcd/tests/v3/robustness/model"
	_ "go.etcd.io/etcd/tests/v3/robustness/report"
	_ "golang.org/x/sync/errgroup"
)
