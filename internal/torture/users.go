package torture

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// The users of a secure cluster. One shows a password, one only its certificate; both may do all to the writers' keys
// and nothing else.
const (
	administrator = "root"
	byPassword    = "wanda"
	byCertificate = "carl"
	writersRole   = "writers"
	spareRole     = "spare" // granted and taken back, so that everybody's tokens grow old
)

// password of everybody who has one.
const password = "correct horse"

// outsider is a common name that no user has: whoever shows a password, too, needs a certificate of any name.
const outsider = "machine"

// found makes users and turns auth on.
func foundUsers(ctx context.Context, c *clientv3.Client) error {
	steps := []func() error{
		func() (err error) { _, err = c.UserAdd(ctx, administrator, password); return },
		func() (err error) { _, err = c.UserAdd(ctx, byPassword, password); return },
		func() (err error) {
			_, err = c.UserAddWithOptions(ctx, byCertificate, "", &clientv3.UserAddOptions{NoPassword: true})
			return
		},
		func() (err error) { _, err = c.RoleAdd(ctx, administrator); return },
		func() (err error) { _, err = c.RoleAdd(ctx, writersRole); return },
		func() (err error) { _, err = c.RoleAdd(ctx, spareRole); return },
		func() (err error) {
			_, err = c.RoleGrantPermission(ctx, writersRole, prefix, clientv3.GetPrefixRangeEnd(prefix), clientv3.PermissionType(clientv3.PermReadWrite))
			return
		},
		func() (err error) { _, err = c.UserGrantRole(ctx, administrator, administrator); return },
		func() (err error) { _, err = c.UserGrantRole(ctx, byPassword, writersRole); return },
		func() (err error) { _, err = c.UserGrantRole(ctx, byCertificate, writersRole); return },
		func() (err error) { _, err = c.AuthEnable(ctx); return },
	}
	for i, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("torture: making users, step %d: %w", i+1, err)
		}
	}
	return nil
}
