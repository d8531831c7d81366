package disk_test

import (
	"testing"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/internal/disk/disktest"
)

func TestOS(t *testing.T) {
	disktest.Run(t, func(t *testing.T) (disk.FS, string) { return disk.OS{}, t.TempDir() })
}

func TestMem(t *testing.T) {
	disktest.Run(t, func(t *testing.T) (disk.FS, string) {
		m := disk.NewMem()
		if err := m.MkdirAll("/data"); err != nil {
			t.Fatal(err)
		}
		return m, "/data"
	})
}
