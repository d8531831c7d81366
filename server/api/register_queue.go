package api

import (
	"google.golang.org/grpc"

	"github.com/holdfast-db/holdfast/server/api/v3electionpb"
	"github.com/holdfast-db/holdfast/server/api/v3lockpb"
)

type lockServer struct {
	v3lockpb.UnsafeLockServer
	*Service
}

type electionServer struct {
	v3electionpb.UnsafeElectionServer
	*Service
}

func (s electionServer) Observe(r *v3electionpb.LeaderRequest, stream grpc.ServerStreamingServer[v3electionpb.LeaderResponse]) error {
	return s.Service.Observe(r, stream)
}

func registerQueues(s grpc.ServiceRegistrar, svc *Service) {
	v3lockpb.RegisterLockServer(s, lockServer{Service: svc})
	v3electionpb.RegisterElectionServer(s, electionServer{Service: svc})
}
