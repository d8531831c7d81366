// Package oneport has the parts with which one port serves several protocols: a
// look at a connection's first bytes ([Sniff]), which are given back afterwards
// ([Conn]), and a listener for each protocol, to which connections are handed
// over ([Handoff]); and a set of connections that end together ([Conns]).
//
// grpc-go's own way, to serve through net/http, costs it much of its speed.
package oneport
