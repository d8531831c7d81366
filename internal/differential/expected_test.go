package differential

// expected are the errors that one healthy member can give, as gRPC's code and text, and why watchers are canceled.
// What needs a quorum that is lost, another leader, a version that differs, or a client's own deadline is not among
// them: there is no common time for those in two clusters, and internal/e2e and etcd's own suite see to them.
// "revision of auth store is old" needs a JWT on etcd and a moment that a test can't choose.
var expected = []string{
	"InvalidArgument: etcdserver: key is not provided",
	"InvalidArgument: etcdserver: key not found",
	"InvalidArgument: etcdserver: value is provided",
	"InvalidArgument: etcdserver: lease is provided",
	"InvalidArgument: etcdserver: too many operations in txn request",
	"InvalidArgument: etcdserver: duplicate key given in txn request",
	"InvalidArgument: etcdserver: invalid sort option",
	"InvalidArgument: etcdserver: request is too large",
	"OutOfRange: etcdserver: mvcc: required revision has been compacted",
	"OutOfRange: etcdserver: mvcc: required revision is a future revision",
	"ResourceExhausted: etcdserver: mvcc: database space exceeded",
	"ResourceExhausted: grpc: received message larger than max (3145740 vs. 2097152)",
	"DataLoss: etcdserver: corrupt cluster",
	"Unimplemented: RangeStream does not support custom sort orders",
	"Unimplemented: RangeStream does not support revision filters",

	"NotFound: etcdserver: requested lease not found",
	"FailedPrecondition: etcdserver: lease already exists",
	"OutOfRange: etcdserver: too large lease TTL",

	"FailedPrecondition: etcdserver: Peer URLs already exists",
	"FailedPrecondition: etcdserver: too many learner members in cluster",
	"FailedPrecondition: etcdserver: can only promote a learner member",
	"FailedPrecondition: etcdserver: can only promote a learner member which is in sync with leader",
	"InvalidArgument: etcdserver: given member URLs are invalid",
	"NotFound: etcdserver: member not found",
	"FailedPrecondition: etcdserver: bad leader transferee",
	"InvalidArgument: etcdserver: wrong downgrade target version format",
	"InvalidArgument: etcdserver: invalid downgrade target version",
	"NotFound: unknown service",

	"FailedPrecondition: etcdserver: root user does not exist",
	"FailedPrecondition: etcdserver: root user does not have root role",
	"FailedPrecondition: etcdserver: user name already exists",
	"FailedPrecondition: etcdserver: user name not found",
	"InvalidArgument: etcdserver: user name is empty",
	"FailedPrecondition: etcdserver: role name already exists",
	"FailedPrecondition: etcdserver: role name not found",
	"InvalidArgument: etcdserver: role name is empty",
	"FailedPrecondition: etcdserver: role is not granted to the user",
	"FailedPrecondition: etcdserver: permission is not granted to the role",
	"InvalidArgument: etcdserver: permission not given",
	"InvalidArgument: etcdserver: authentication failed, invalid user ID or password",
	"FailedPrecondition: etcdserver: authentication is not enabled",
	"InvalidArgument: etcdserver: invalid auth management",
	"PermissionDenied: etcdserver: permission denied",
	"Unauthenticated: etcdserver: invalid auth token",

	"Unknown: \"leader\" field must be provided",
	"Unknown: election: no leader",
	"Unknown: election: not leader",
	"Unknown: etcdserver: key is not provided",
	"Unknown: etcdserver: requested lease not found",

	"watch canceled: by compaction",
	"watch canceled: etcdserver: mvcc: required revision has been compacted",
	"watch canceled: mvcc: watcher range is empty",
	"watch canceled: mvcc: duplicate watch ID provided on the WatchStream",
}
