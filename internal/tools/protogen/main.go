// Command protogen generates the Go code of the services that etcd's api module
// doesn't have: lock and election. It needs no protoc: the compiler is a library,
// and the plugins are this module's tools.
//
//	make proto
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"

	"github.com/bufbuild/protocompile"
	_ "go.etcd.io/etcd/api/v3/etcdserverpb" // registers what the files import
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// plugins, each with its parameters. mapped says where imported messages are in Go.
const mapped = "paths=source_relative,Mrpc.proto=go.etcd.io/etcd/api/v3/etcdserverpb,Mkv.proto=go.etcd.io/etcd/api/v3/mvccpb," +
	"Mauth.proto=go.etcd.io/etcd/api/v3/authpb,Mversion.proto=go.etcd.io/etcd/api/v3/versionpb"

var plugins = map[string]string{
	"protoc-gen-go":           mapped,
	"protoc-gen-go-grpc":      mapped,
	"protoc-gen-grpc-gateway": mapped,
}

func main() {
	for _, dir := range os.Args[1:] {
		if err := generate(dir); err != nil {
			fmt.Fprintln(os.Stderr, "protogen:", err)
			os.Exit(1)
		}
	}
}

// generate makes the code for the one .proto file of a directory, beside it.
func generate(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.proto"))
	if err != nil || len(files) != 1 {
		return fmt.Errorf("%s has %d .proto files, want 1: %w", dir, len(files), err)
	}
	name := filepath.Base(files[0])
	compiler := protocompile.Compiler{
		Resolver: protocompile.CompositeResolver{
			&protocompile.SourceResolver{ImportPaths: []string{dir}},
			protocompile.ResolverFunc(registered),
		},
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	compiled, err := compiler.Compile(context.Background(), name)
	if err != nil {
		return err
	}
	all := &descriptorpb.FileDescriptorSet{}
	collect(compiled[0], all, map[string]bool{})
	for plugin, parameter := range plugins {
		if err := run(plugin, parameter, dir, name, all); err != nil {
			return fmt.Errorf("%s: %w", plugin, err)
		}
	}
	return nil
}

// registered finds files that the linked packages have.
func registered(name string) (protocompile.SearchResult, error) {
	d, err := protoregistry.GlobalFiles.FindFileByPath(name)
	if err != nil {
		return protocompile.SearchResult{}, err
	}
	return protocompile.SearchResult{Desc: d}, nil
}

// collect lists a file and its imports, imports first. etcd's files are registered
// by their bare names but import each other by longer ones: bare ones it is.
func collect(f protoreflect.FileDescriptor, into *descriptorpb.FileDescriptorSet, seen map[string]bool) {
	if seen[f.Path()] {
		return
	}
	seen[f.Path()] = true
	file := protodesc.ToFileDescriptorProto(f)
	for i, name := range file.Dependency {
		imported := f.Imports().Get(i).FileDescriptor
		if bare, err := protoregistry.GlobalFiles.FindFileByPath(path.Base(name)); err == nil && imported.IsPlaceholder() {
			imported, file.Dependency[i] = bare, path.Base(name)
		}
		collect(imported, into, seen)
	}
	into.File = append(into.File, file)
}

func run(plugin, parameter, dir, name string, all *descriptorpb.FileDescriptorSet) error {
	request, err := proto.Marshal(&pluginpb.CodeGeneratorRequest{FileToGenerate: []string{name}, Parameter: &parameter, ProtoFile: all.File})
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "tool", plugin)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(request), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	var response pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(out, &response); err != nil {
		return err
	}
	if response.Error != nil {
		return fmt.Errorf("%s", response.GetError())
	}
	for _, f := range response.File {
		if err := os.WriteFile(filepath.Join(dir, f.GetName()), []byte(f.GetContent()), 0o644); err != nil {
			return err
		}
	}
	return nil
}
