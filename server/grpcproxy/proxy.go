package grpcproxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/holdfast-db/holdfast/server/api/v3electionpb"
	"github.com/holdfast-db/holdfast/server/api/v3lockpb"
)

// stopGrace is how long requests under way may take when the proxy stops.
const stopGrace = 5 * time.Second

// Proxy is a running one.
type Proxy struct {
	config  Config
	client  *clientv3.Client // of the members
	self    *clientv3.Client // of the proxy
	port    *port
	grpc    *grpc.Server
	web     *http.Server
	metrics *http.Server // nil: none
	cache   *cache
	meter   *meter
	tide    *tide

	ctx    context.Context // of everything that goes on by itself
	cancel context.CancelFunc
	work   sync.WaitGroup
	leased func() // ends leasing; nil: there is none
	inner  *clientv3.Client
	failed chan error
}

// Start serves when it returns. It waits for members only where it has to know
// something of them first: with Ordering or LeasingPrefix, until ctx ends.
func Start(ctx context.Context, config Config) (*Proxy, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	secure, err := config.clientTLS()
	if err != nil {
		return nil, err
	}
	p := &Proxy{config: config, tide: &tide{}, cache: newCache(time.Now), failed: make(chan error, 4)}
	p.meter = newMeter(p.cache.size)
	p.ctx, p.cancel = context.WithCancel(context.WithoutCancel(ctx))
	l, err := net.Listen("tcp", config.ListenAddr)
	if err != nil {
		p.cancel()
		return nil, err
	}
	config.Log.Info("listening for gRPC proxy client requests", "address", config.ListenAddr)
	p.port = newPort(l, secure, config.Log)
	stopped := context.AfterFunc(ctx, p.cancel) // while it waits for members
	err = p.open(secure != nil)
	if !stopped() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		p.Stop()
		return nil, err
	}
	config.Log.Info("started gRPC proxy", "address", config.ListenAddr)
	return p, nil
}

// open makes everything behind the port and begins to serve.
func (p *Proxy) open(secure bool) (err error) {
	if p.client, err = dialMembers(&p.config); err != nil {
		return err
	}
	if err := p.newGRPC(); err != nil {
		return err
	}
	if p.self, err = p.dialSelf(); err != nil {
		return err
	}
	w := newWeb(p.client, p.self, p.meter, p.config.MembersTLS)
	p.web = &http.Server{Handler: w.handler(p.config.EnablePprof), ReadHeaderTimeout: handshakeTimeout}
	if err := p.openMetrics(w, secure); err != nil {
		return err
	}
	p.serve("client port", p.port.serve)
	p.serve("gRPC", func() error { return p.grpc.Serve(p.port.grpc) })
	p.serve("HTTP", func() error { return p.web.Serve(p.port.http) })
	if p.config.AutoSync > 0 {
		p.work.Go(func() { follow(p.ctx, &p.config, p.client) })
	}
	return nil
}

// serve runs what may not end before the proxy does.
func (p *Proxy) serve(what string, f func() error) {
	p.work.Go(func() {
		if err := f(); p.ctx.Err() == nil {
			p.failed <- fmt.Errorf("%s: %w", what, err)
		}
	})
}

// Failed gives the error of a proxy that can't go on.
func (p *Proxy) Failed() <-chan error { return p.failed }

// Addr is where clients reach it.
func (p *Proxy) Addr() string { return p.port.listener.Addr().String() }

// layers stacks what answers requests about keys.
func (p *Proxy) layers() (top, uncached keys, err error) {
	count := func() int { return len(p.client.Endpoints()) }
	var k keys = &members{client: pb.NewKVClient(p.client.ActiveConnection()), tide: p.tide, count: count}
	var order *tide // nil: time may go backwards
	if p.config.Ordering {
		if err := p.findTide(k); err != nil {
			return nil, nil, err
		}
		order = p.tide
		k = &ordered{k, p.tide, count}
	}
	s := space(p.config.Namespace)
	p.inner = newInner(p.ctx, p.client, k, s)
	if s != "" {
		k = &named{k, s}
	}
	uncached = k
	if p.config.LeasingPrefix != "" {
		l, end, err := newLeased(p.inner, k, p.config.LeasingPrefix)
		if err != nil {
			return nil, nil, fmt.Errorf("leasing: %w", err)
		}
		k, p.leased = l, end
	}
	top = &cached{keys: k, cache: p.cache, meter: p.meter, tide: order}
	return top, uncached, nil
}

// findTide waits for a first answer: what came before it nobody here has seen.
func (p *Proxy) findTide(k keys) error {
	p.config.Log.Info("waiting for linearized read from cluster to recover ordering")
	for {
		_, err := k.Range(p.ctx, &pb.RangeRequest{Key: []byte("_"), KeysOnly: true})
		if err == nil || isDenied(err) { // with auth the first client's answer is the first
			return nil
		}
		p.config.Log.Warn("ordering recovery failed, retrying in 1s", "error", err.Error())
		select {
		case <-time.After(time.Second):
		case <-p.ctx.Done():
			return p.ctx.Err()
		}
	}
}

// newGRPC makes the server and registers who answers.
func (p *Proxy) newGRPC() error {
	top, uncached, err := p.layers()
	if err != nil {
		return err
	}
	conn, s := p.client.ActiveConnection(), space(p.config.Namespace)
	f := &front{meter: p.meter, ending: p.ctx}
	if p.config.LogCalls {
		f.log = p.config.Log
	}
	forward := &forwarder{conn, p.cache}
	p.grpc = grpc.NewServer(append(p.options(), grpc.UnaryInterceptor(f.unary), grpc.StreamInterceptor(f.stream), grpc.UnknownServiceHandler(forward.handle))...)
	pb.RegisterKVServer(p.grpc, kvServer{keys: top})
	pb.RegisterWatchServer(p.grpc, watchServer{hub: &watchHub{
		ctx: p.ctx, client: pb.NewWatchClient(conn), keys: uncached, space: s, tide: p.tide, meter: p.meter, trunks: map[caller]*trunk{},
	}})
	pb.RegisterLeaseServer(p.grpc, &leaseServer{
		client: pb.NewLeaseClient(conn), space: s, cache: p.cache, tide: p.tide,
		pulse: &pulseHub{ctx: p.ctx, client: pb.NewLeaseClient(conn), pulses: map[caller]*pulse{}},
	})
	v3lockpb.RegisterLockServer(p.grpc, &lockServer{client: v3lockpb.NewLockClient(conn), space: s, cache: p.cache})
	v3electionpb.RegisterElectionServer(p.grpc, &electionServer{client: v3electionpb.NewElectionClient(conn), space: s, cache: p.cache})
	registerCluster(p.grpc, &clusterServer{members: pb.NewClusterClient(conn), advertise: p.config.AdvertiseURL, resolver: p.startResolver()})
	return nil
}

// startResolver is nil if proxies don't know each other.
func (p *Proxy) startResolver() *resolver {
	c := &p.config
	if c.ResolverPrefix == "" {
		return nil
	}
	r := &resolver{client: p.inner, prefix: c.ResolverPrefix, advertise: c.AdvertiseURL, ttl: c.ResolverTTL, log: c.Log}
	p.work.Go(func() { r.run(p.ctx) })
	return r
}

// requestOverhead is what a message may be larger than what it carries.
const requestOverhead = 512 << 10

func (p *Proxy) options() []grpc.ServerOption {
	c := &p.config
	out := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(max(4<<20, c.SendBytesMax+requestOverhead)),
		grpc.MaxConcurrentStreams(c.MaxConcurrentStreams),
		grpc.ConnectionTimeout(handshakeTimeout),
	}
	if c.KeepAliveMinTime > 0 {
		out = append(out, grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: c.KeepAliveMinTime}))
	}
	if c.KeepAliveInterval > 0 || c.KeepAliveTimeout > 0 {
		out = append(out, grpc.KeepaliveParams(keepalive.ServerParameters{Time: c.KeepAliveInterval, Timeout: c.KeepAliveTimeout}))
	}
	return out
}

// dialSelf is a client of this proxy that needs no socket, and no certificate.
func (p *Proxy) dialSelf() (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints: []string{"http://proxy"}, Logger: zap.NewNop(),
		DialOptions: []grpc.DialOption{
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
				near, far := net.Pipe()
				go p.port.grpc.Give(far)
				return near, nil
			}),
		},
	})
}

// Stop ends streams, waits for requests and closes everything. Clients hear that
// they should go elsewhere.
func (p *Proxy) Stop() {
	p.cancel()
	if p.self != nil {
		p.self.Close() // its error is that its context ended
	}
	p.port.close()
	p.stopServers()
	if p.leased != nil {
		p.leased()
	}
	p.work.Wait()
	for _, c := range []*clientv3.Client{p.inner, p.client} {
		if c != nil {
			c.Close() // its error is that its context ended
		}
	}
}

func (p *Proxy) stopServers() {
	if p.grpc != nil {
		late := time.AfterFunc(stopGrace, p.grpc.Stop)
		p.grpc.GracefulStop()
		late.Stop()
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopGrace)
	defer cancel()
	for _, s := range []*http.Server{p.web, p.metrics} {
		if s != nil && errors.Is(s.Shutdown(ctx), context.DeadlineExceeded) {
			s.Close()
		}
	}
}
