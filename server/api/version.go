package api

// Version is the release of etcd whose API this is, in digits and dots only:
// clients parse it (Patroni splits at dots and converts to integers), and
// Kubernetes asks Status.version for features. Holdfast's own version stands
// elsewhere.
const (
	Version        = "3.7.1"
	ClusterVersion = "3.7.0"
	StorageVersion = "3.7.0"
)
