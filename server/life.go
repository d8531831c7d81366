package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/api"
	"github.com/holdfast-db/holdfast/server/replica"
	"github.com/holdfast-db/holdfast/server/state"
)

// How long the steps of a stop may take. Together they stay below what process
// managers and test harnesses wait, 1.5 s.
const (
	handoverTimeout = 700 * time.Millisecond
	drainTimeout    = 300 * time.Millisecond
	tracesTimeout   = 400 * time.Millisecond // for what the collector has yet to get
)

// httpIdle is how long an HTTP/1.1 connection may wait for its next request.
const httpIdle = 2 * time.Minute

// publishRetry is the pause before this member's attributes are proposed again.
const publishRetry = 100 * time.Millisecond

// run starts what a member does by itself.
func (s *Server) run() {
	svc := api.NewService(s.backend)
	var guard *api.Guard
	s.splitter = newSplitter(s.metrics, s.clientTLS, s.log, s.settings)
	s.grpc, guard = s.backend.newGRPC(svc)
	s.http = &http.Server{Handler: s.backend.webHandler(svc, guard), ErrorLog: quietLog(s.log),
		ReadHeaderTimeout: s.settings.handshakeTimeout(), IdleTimeout: httpIdle, MaxHeaderBytes: s.settings.limits.headerBytes}
	s.driver.start()
	s.serveMonitors()
	s.work.Go(s.peerHTTP.serve)
	if s.settings.compactor != nil {
		s.work.Go(func() { s.autoCompact(s.settings.compactor) })
	}
	if d := s.settings.newDisarmer(); d != nil {
		s.work.Go(func() { s.keepSpace(d) })
	}
	if s.settings.checksCorruption() {
		s.work.Go(s.checkFromTimeToTime)
	}
	s.work.Go(guard.Run)
	s.work.Go(s.backend.sampleRoundTrips)
	s.work.Go(s.becomeReady)
	go s.await()
}

// becomeReady publishes this member's name and client URLs, and serves clients
// once that was applied here: it went through the log, so there is a quorum, and
// this member has caught up with all that was acknowledged before it started. A
// restarted member that served earlier could show a state older than it had
// already shown.
func (s *Server) becomeReady() {
	for {
		err := s.publish(context.Background()) // ends with the member
		if err == nil {
			break
		}
		s.log.Debug("cannot publish this member yet", "reason", err.Error())
		select {
		case <-s.stopping:
			return
		case <-time.After(publishRetry):
		}
	}
	if err := s.checkAtStart(); err != nil {
		s.driver.fail(err)
		return
	}
	s.serve()
}

func (s *Server) publish(ctx context.Context) error {
	res, err := s.backend.Propose(ctx, &state.MemberAttributesRequest{
		Member: s.settings.member, Name: s.settings.Name, ClientURLs: urlStrings(s.settings.advertiseClient),
	})
	if err == nil {
		err = res.Err
	}
	return err
}

// serve lets clients in, who have waited in the listeners' backlog.
func (s *Server) serve() {
	select {
	case <-s.stopping:
		return
	default:
	}
	s.work.Go(func() { s.serveGRPC() })
	s.work.Go(func() { s.serveHTTP() })
	for _, l := range s.clients {
		s.splitter.serve(l)
		for _, message := range l.messages() {
			s.log.Info(message, "traffic", l.traffic(), "address", l.Addr().String())
		}
	}
	s.log.Info("ready to serve client requests", "member-id", hex(s.settings.member))
	s.readyOnce.Do(func() { close(s.ready) })
}

func (s *Server) serveGRPC() {
	if err := s.grpc.Serve(s.splitter.grpc); err != nil {
		s.log.Warn("gRPC server ended", "reason", err.Error())
	}
}

func (s *Server) serveHTTP() {
	if err := s.http.Serve(s.splitter.http); err != nil && !errors.Is(err, http.ErrServerClosed) {
		s.log.Warn("HTTP server ended", "reason", err.Error())
	}
}

// await waits for a stop or a failure, and then ends everything.
func (s *Server) await() {
	select {
	case <-s.stopping:
		s.handOver()
	case <-s.driver.failed:
		s.log.Error("the member cannot go on", "error", s.driver.err)
		s.stopOnce.Do(func() { close(s.stopping) })
	}
	s.teardown()
	close(s.stopped)
}

// Stop hands leadership over, ends all streams, answers what can still be
// answered and closes the log. It returns when all is done, with the error that
// ended the member, if there was one.
func (s *Server) Stop() error {
	s.stopOnce.Do(func() { close(s.stopping) })
	<-s.stopped
	return s.stopErr
}

// Logger is where the member logs.
func (s *Server) Logger() *slog.Logger { return s.log }

// handOver gives leadership to the voter that is furthest on, so that the
// cluster needn't find out by timeout.
func (s *Server) handOver() {
	st := s.backend.Status()
	if st.Raft.Role != raft.Leader || len(st.Raft.Config.Config.Members) < 2 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), handoverTimeout)
	defer cancel()
	if err := s.backend.MoveLeader(ctx, 0); err != nil && !errors.Is(err, replica.ErrNotLeader) {
		s.log.Warn("cannot hand leadership over", "reason", err.Error())
		return
	}
	s.log.Info("handed leadership over")
}

// teardown ends clients first, then peers, then the actors, then the log.
func (s *Server) teardown() {
	close(s.backend.stopped) // streams and waiting requests end
	s.stopClients()
	s.stopTracing()
	s.peerHTTP.close()
	s.network.Close()
	s.driver.halt()
	s.work.Wait()
	s.stopErr = errors.Join(s.driver.err, s.replica.Close())
	s.log.Info("stopped", "member-id", hex(s.settings.member))
	s.stopErr = errors.Join(s.stopErr, s.closeLog())
}

func (s *Server) stopClients() {
	closeEndpoints(s.clients)
	drained := make(chan struct{})
	s.work.Go(func() {
		s.grpc.GracefulStop()
		close(drained)
	})
	select {
	case <-drained:
	case <-time.After(drainTimeout):
	}
	s.grpc.Stop()
	s.http.Close()
	s.monitors.Close()
	s.splitter.close()
}

func (s *Server) stopTracing() {
	ctx, cancel := context.WithTimeout(context.Background(), tracesTimeout)
	defer cancel()
	s.tracer.Stop(ctx)
}

// warnOpenDir tells of a data directory that others may look into: one that was
// there before keeps its mode.
func (s *Server) warnOpenDir() {
	if s.settings.fs != nil {
		return
	}
	info, err := os.Stat(s.settings.dir)
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		s.log.Warn("the data directory is open to others; mode 0700 is recommended", "data-dir", s.settings.dir, "mode", info.Mode().String())
	}
}
