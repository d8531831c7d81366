package api

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"slices"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"golang.org/x/crypto/bcrypt"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/state"
	"github.com/holdfast-db/holdfast/server/token"
)

// loginTries bounds how often a login begins anew because the password changed
// while it was compared.
const loginTries = 4

// Authenticate gives a token for a password. An unknown user, one without a
// password and a wrong password have the same answer after the same time.
func (s *Service) Authenticate(ctx context.Context, r *pb.AuthenticateRequest) (*pb.AuthenticateResponse, error) {
	for try := 1; ; try++ {
		view, err := s.backend.View(ctx, true)
		if err != nil {
			return nil, ToGRPC(err)
		}
		users := view.Auth()
		if !users.Enabled() {
			return nil, rpctypes.ErrGRPCAuthNotEnabled
		}
		u := users.User(r.Name)
		var hash []byte
		if u != nil && !u.NoPassword {
			hash = u.Hash
		}
		if ok, err := s.passwords.compare(ctx, hash, r.Password); err != nil || !ok {
			return nil, cmp.Or(err, rpctypes.ErrGRPCAuthFailed)
		}
		text, revision, err := s.token(ctx, u, view)
		if errors.Is(err, auth.ErrOldRevision) && try < loginTries {
			continue
		}
		if err != nil {
			return nil, ToGRPC(err)
		}
		return &pb.AuthenticateResponse{Header: s.header(revision), Token: text}, nil
	}
}

// errVerifyOnly has etcd's words, which lack the usual prefix and code.
var errVerifyOnly = status.Error(codes.Unknown, token.ErrVerifyOnly.Error())

// token makes a token for a user whose password was right in a view: signed
// here, or assigned on all members through the log.
func (s *Service) token(ctx context.Context, u *auth.User, view *state.View) (text string, revision int64, err error) {
	keeper := s.backend.Tokens()
	if text, err = keeper.Sign(u.Name, view.Auth().Revision()); errors.Is(err, token.ErrVerifyOnly) {
		return "", 0, errVerifyOnly
	}
	if err != nil || text != "" {
		return text, view.Revision(), err
	}
	res, err := s.backend.Propose(ctx, &state.LoginRequest{User: u.Name, Since: u.Since, Prefix: keeper.Prefix()})
	if err == nil {
		err = res.Err
	}
	if err != nil {
		return "", 0, err
	}
	return res.Token, res.Revision, nil
}

// AuthStatus tells whether auth is on. It needs no name, but a token that is
// shown must be good, as in etcd.
func (s *Service) AuthStatus(ctx context.Context, _ *pb.AuthStatusRequest) (*pb.AuthStatusResponse, error) {
	view, err := s.backend.View(ctx, true)
	if err == nil {
		_, err = s.gate.caller(ctx, view.Auth())
	}
	if err != nil {
		return nil, ToGRPC(err)
	}
	return &pb.AuthStatusResponse{Header: s.header(view.Revision()),
		Enabled: view.Auth().Enabled(), AuthRevision: view.Auth().Revision()}, nil
}

// change proposes a change of users and roles and returns the header of its answer.
func (s *Service) change(ctx context.Context, c auth.Change) (*pb.ResponseHeader, error) {
	if err := c.Check(); err != nil {
		return nil, ToGRPC(err)
	}
	res, err := s.propose(ctx, c)
	if err != nil {
		return nil, err
	}
	return s.header(res.Revision), nil
}

// AuthEnable turns auth on.
func (s *Service) AuthEnable(ctx context.Context, _ *pb.AuthEnableRequest) (*pb.AuthEnableResponse, error) {
	h, err := s.change(ctx, &auth.Enable{})
	if err != nil {
		return nil, err
	}
	return &pb.AuthEnableResponse{Header: h}, nil
}

// AuthDisable turns auth off.
func (s *Service) AuthDisable(ctx context.Context, _ *pb.AuthDisableRequest) (*pb.AuthDisableResponse, error) {
	h, err := s.change(ctx, &auth.Disable{})
	if err != nil {
		return nil, err
	}
	return &pb.AuthDisableResponse{Header: h}, nil
}

// UserAdd makes a user. A password is hashed here; no replica does that, and the
// log never sees it.
func (s *Service) UserAdd(ctx context.Context, r *pb.AuthUserAddRequest) (*pb.AuthUserAddResponse, error) {
	c := &auth.UserAdd{Name: r.Name, NoPassword: r.GetOptions().GetNoPassword()}
	if err := c.Check(); err != nil {
		return nil, ToGRPC(err)
	}
	if !c.NoPassword {
		var err error
		if c.Hash, err = s.passwords.hash(ctx, r.Password); err != nil {
			return nil, err
		}
	}
	h, err := s.change(ctx, c)
	if err != nil {
		return nil, err
	}
	return &pb.AuthUserAddResponse{Header: h}, nil
}

// UserDelete removes a user.
func (s *Service) UserDelete(ctx context.Context, r *pb.AuthUserDeleteRequest) (*pb.AuthUserDeleteResponse, error) {
	h, err := s.change(ctx, &auth.UserDelete{Name: r.Name})
	if err != nil {
		return nil, err
	}
	return &pb.AuthUserDeleteResponse{Header: h}, nil
}

// UserChangePassword gives a user another password, or the hash of one. As in
// etcd neither means that nobody can log in as that user.
func (s *Service) UserChangePassword(ctx context.Context, r *pb.AuthUserChangePasswordRequest) (*pb.AuthUserChangePasswordResponse, error) {
	hash, err := clientHash(r.HashedPassword)
	if r.Password != "" {
		hash, err = s.passwords.hash(ctx, r.Password)
	}
	if err != nil {
		return nil, err
	}
	h, err := s.change(ctx, &auth.UserPassword{Name: r.Name, Hash: hash})
	if err != nil {
		return nil, err
	}
	return &pb.AuthUserChangePasswordResponse{Header: h}, nil
}

// clientHash reads a hash that a client made: base64 of bcrypt's text.
func clientHash(text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	hash, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, ToGRPC(auth.ErrInvalidManagement)
	}
	if cost, err := bcrypt.Cost(hash); err != nil || cost > hashCostMax {
		return nil, ToGRPC(auth.ErrInvalidManagement)
	}
	return hash, nil
}

// UserGrantRole gives a user a role.
func (s *Service) UserGrantRole(ctx context.Context, r *pb.AuthUserGrantRoleRequest) (*pb.AuthUserGrantRoleResponse, error) {
	h, err := s.change(ctx, &auth.UserGrant{User: r.User, Role: r.Role})
	if err != nil {
		return nil, err
	}
	return &pb.AuthUserGrantRoleResponse{Header: h}, nil
}

// UserRevokeRole takes a role from a user.
func (s *Service) UserRevokeRole(ctx context.Context, r *pb.AuthUserRevokeRoleRequest) (*pb.AuthUserRevokeRoleResponse, error) {
	h, err := s.change(ctx, &auth.UserRevoke{User: r.Name, Role: r.Role})
	if err != nil {
		return nil, err
	}
	return &pb.AuthUserRevokeRoleResponse{Header: h}, nil
}

// RoleAdd makes a role.
func (s *Service) RoleAdd(ctx context.Context, r *pb.AuthRoleAddRequest) (*pb.AuthRoleAddResponse, error) {
	h, err := s.change(ctx, &auth.RoleAdd{Name: r.Name})
	if err != nil {
		return nil, err
	}
	return &pb.AuthRoleAddResponse{Header: h}, nil
}

// RoleDelete removes a role.
func (s *Service) RoleDelete(ctx context.Context, r *pb.AuthRoleDeleteRequest) (*pb.AuthRoleDeleteResponse, error) {
	h, err := s.change(ctx, &auth.RoleDelete{Name: r.Role})
	if err != nil {
		return nil, err
	}
	return &pb.AuthRoleDeleteResponse{Header: h}, nil
}

// RoleGrantPermission gives a role access to keys.
func (s *Service) RoleGrantPermission(ctx context.Context, r *pb.AuthRoleGrantPermissionRequest) (*pb.AuthRoleGrantPermissionResponse, error) {
	if r.Perm == nil {
		return nil, rpctypes.ErrGRPCPermissionNotGiven
	}
	if _, known := authpb.Permission_Type_name[int32(r.Perm.PermType)]; !known {
		return nil, ToGRPC(auth.ErrInvalidManagement)
	}
	h, err := s.change(ctx, &auth.RoleGrant{Role: r.Name, Permission: auth.Permission{
		Access: auth.Access(r.Perm.PermType), Key: r.Perm.Key, End: r.Perm.RangeEnd}})
	if err != nil {
		return nil, err
	}
	return &pb.AuthRoleGrantPermissionResponse{Header: h}, nil
}

// RoleRevokePermission takes the permission on exactly that range from a role.
func (s *Service) RoleRevokePermission(ctx context.Context, r *pb.AuthRoleRevokePermissionRequest) (*pb.AuthRoleRevokePermissionResponse, error) {
	h, err := s.change(ctx, &auth.RoleRevoke{Role: r.Role, Key: r.Key, End: r.RangeEnd})
	if err != nil {
		return nil, err
	}
	return &pb.AuthRoleRevokePermissionResponse{Header: h}, nil
}

// inspect returns a view for a question about users and roles, if the caller may
// administer or the question is about himself.
func (s *Service) inspect(ctx context.Context, himself func(*auth.View, auth.Caller) bool) (*state.View, error) {
	view, err := s.backend.View(ctx, true)
	if err != nil {
		return nil, ToGRPC(err)
	}
	return s.mayRead(ctx, view, true, func(v *state.View, c auth.Caller) error {
		if c.Name != "" && himself(v.Auth(), c) {
			return nil
		}
		return v.Auth().Admin(c)
	})
}

// UserGet lists a user's roles, for himself or for an administrator.
func (s *Service) UserGet(ctx context.Context, r *pb.AuthUserGetRequest) (*pb.AuthUserGetResponse, error) {
	view, err := s.inspect(ctx, func(_ *auth.View, c auth.Caller) bool { return c.Name == r.Name })
	if err != nil {
		return nil, err
	}
	u := view.Auth().User(r.Name)
	if u == nil {
		return nil, rpctypes.ErrGRPCUserNotFound
	}
	return &pb.AuthUserGetResponse{Header: s.header(view.Revision()), Roles: slices.Clone(u.Roles)}, nil
}

// UserList lists all users' names.
func (s *Service) UserList(ctx context.Context, _ *pb.AuthUserListRequest) (*pb.AuthUserListResponse, error) {
	view, err := s.inspect(ctx, func(*auth.View, auth.Caller) bool { return false })
	if err != nil {
		return nil, err
	}
	resp := &pb.AuthUserListResponse{Header: s.header(view.Revision())}
	view.Auth().AscendUsers(func(u *auth.User) bool {
		resp.Users = append(resp.Users, u.Name)
		return true
	})
	return resp, nil
}

// RoleGet lists a role's permissions, for those who have it or an administrator.
// The role root's aren't stored: they are all there are.
func (s *Service) RoleGet(ctx context.Context, r *pb.AuthRoleGetRequest) (*pb.AuthRoleGetResponse, error) {
	view, err := s.inspect(ctx, func(v *auth.View, c auth.Caller) bool {
		u := v.User(c.Name)
		return u != nil && u.Has(r.Role)
	})
	if err != nil {
		return nil, err
	}
	role := view.Auth().Role(r.Role)
	if role == nil {
		return nil, rpctypes.ErrGRPCRoleNotFound
	}
	resp := &pb.AuthRoleGetResponse{Header: s.header(view.Revision())}
	if role.Name == auth.Root {
		resp.Perm = []*authpb.Permission{{PermType: authpb.Permission_READWRITE, RangeEnd: []byte{0}}}
		return resp, nil
	}
	for _, p := range role.Permissions {
		resp.Perm = append(resp.Perm, &authpb.Permission{PermType: authpb.Permission_Type(p.Access), Key: p.Key, RangeEnd: p.End})
	}
	return resp, nil
}

// RoleList lists all roles' names.
func (s *Service) RoleList(ctx context.Context, _ *pb.AuthRoleListRequest) (*pb.AuthRoleListResponse, error) {
	view, err := s.inspect(ctx, func(*auth.View, auth.Caller) bool { return false })
	if err != nil {
		return nil, err
	}
	resp := &pb.AuthRoleListResponse{Header: s.header(view.Revision())}
	view.Auth().AscendRoles(func(r *auth.Role) bool {
		resp.Roles = append(resp.Roles, r.Name)
		return true
	})
	return resp, nil
}
