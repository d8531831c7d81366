package tcpproxy

import (
	"io"
	"net"
)

// halfCloser is a connection that can end one direction; TCP's can.
type halfCloser interface{ CloseWrite() error }

// join copies both ways until both directions have ended.
func join(a, b net.Conn) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		carry(a, b)
	}()
	carry(b, a)
	<-done
}

// carry copies one way. The end of what src says is passed on; after an error
// nothing that is said either way can be trusted to arrive, so all ends.
func carry(dst, src net.Conn) {
	_, err := io.Copy(dst, src) // between two TCP sockets the kernel does it
	if half, ok := dst.(halfCloser); ok && err == nil && half.CloseWrite() == nil {
		return
	}
	dst.Close()
	src.Close()
}
