package api

import (
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

func TestDowngrade(t *testing.T) {
	s := NewService(newFake(t))
	const validate, enable, cancel = pb.DowngradeRequest_VALIDATE, pb.DowngradeRequest_ENABLE, pb.DowngradeRequest_CANCEL
	for _, tt := range []struct {
		action  pb.DowngradeRequest_DowngradeAction
		version string
		want    error
	}{
		{validate, "", rpctypes.ErrGRPCWrongDowngradeVersionFormat},
		{validate, "3", rpctypes.ErrGRPCWrongDowngradeVersionFormat},
		{validate, "v3.6", rpctypes.ErrGRPCWrongDowngradeVersionFormat},
		{enable, "3.6.0.1", rpctypes.ErrGRPCWrongDowngradeVersionFormat},
		{validate, "3.4", rpctypes.ErrGRPCInvalidDowngradeTargetVersion},
		{enable, "3.7.1", rpctypes.ErrGRPCInvalidDowngradeTargetVersion},
		{enable, "3.6.0-rc.1", rpctypes.ErrGRPCInvalidDowngradeTargetVersion},
		{cancel, "", nil},
		{9, "3.6", errUnknownMethod},
	} {
		if _, err := s.Downgrade(bg, &pb.DowngradeRequest{Action: tt.action, Version: tt.version}); err != tt.want {
			t.Errorf("%v %q: %v, want %v", tt.action, tt.version, err, tt.want)
		}
	}
	r, err := s.Downgrade(bg, &pb.DowngradeRequest{Action: cancel})
	if err != nil || !strings.HasPrefix(ClusterVersion, r.Version+".") || r.Header == nil {
		t.Errorf("to cancel none: %v, %v", r, err)
	}
}
