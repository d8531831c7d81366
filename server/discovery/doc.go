// Package discovery lets the members of a new cluster find each other through
// another one, the service, which may be of etcd or of Holdfast. It is etcd's
// v3 discovery; the keys are the same:
//
//	/_etcd/registry/TOKEN/_config/size     "3": how many members; the operator puts it
//	/_etcd/registry/TOKEN/members/ID       "n1=http://10.0.0.1:2380", or with several URLs
//	                                       "n1=http://10.0.0.1:2380,n1=http://10.0.1.1:2380"
//
// ID is the member's, in hexadecimal without leading zeros, as it derives from
// its peer URLs with TOKEN for the cluster's token. Each member puts its own key
// and waits until there are as many as the size says; those that were created
// first count. Their values together are what --initial-cluster would be, in the
// order of creation, and alike for all. Who comes too late is refused.
//
// A token serves one cluster, once: the keys stay, so a member that ends before
// the others have come finds its own key when it starts again.
package discovery
