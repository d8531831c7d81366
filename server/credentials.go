package server

import (
	"context"
	"crypto/tls"
	"errors"
	"net"

	"google.golang.org/grpc/credentials"
)

// handshaken tells gRPC about connections on which the splitter has done TLS
// already (or which are in the clear), so that services can see the client's
// certificate.
type handshaken struct{}

var _ credentials.TransportCredentials = handshaken{}

// ServerHandshake implements credentials.TransportCredentials.
func (handshaken) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	metered, _ := conn.(*meteredConn)
	if metered != nil {
		if secured, ok := metered.Conn.(*tls.Conn); ok {
			return conn, credentials.TLSInfo{
				State:          secured.ConnectionState(),
				CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
			}, nil
		}
	}
	return conn, inTheClear{credentials.CommonAuthInfo{SecurityLevel: credentials.NoSecurity}}, nil
}

// inTheClear is what is known of a client without TLS: nothing.
type inTheClear struct{ credentials.CommonAuthInfo }

// AuthType implements credentials.AuthInfo.
func (inTheClear) AuthType() string { return "insecure" }

// ClientHandshake implements credentials.TransportCredentials; a server has none.
func (handshaken) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("server: these credentials are a server's")
}

// Info implements credentials.TransportCredentials.
func (handshaken) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

// Clone implements credentials.TransportCredentials.
func (handshaken) Clone() credentials.TransportCredentials { return handshaken{} }

// OverrideServerName implements credentials.TransportCredentials.
func (handshaken) OverrideServerName(string) error { return nil }
