// Package weir runs a plugin of weir_abi.h in a Go agent, in the shape in which such agents have their
// inputs: a catalog, a sample configuration, Run that blocks, Terminate, and a feeder that takes points of a
// category and the last error.
//
// The plugin's threads are not Go's. They call back into Go through an integer handle, so no Go pointer is
// ever kept by C, and what they bring is copied before the callback returns. Control calls may be made from
// any goroutine: the plugin does not care which thread they come on.
package weir

/*
#cgo CFLAGS: -I${SRCDIR}/../include -std=c11 -D_GNU_SOURCE
#cgo LDFLAGS: -ldl
#include <stdlib.h>
#include "bridge.h"
*/
import "C"

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"unsafe"
)

// Error is what a call of the plugin's failed with.
type Error struct {
	Call string
	Code int    // WEIR_E_*, negative
	Text string // the plugin's words; may be empty
}

func (e *Error) Error() string {
	if e.Text == "" {
		return fmt.Sprintf("%s: code %d", e.Call, e.Code)
	}
	return e.Call + ": " + e.Text
}

// Codes of weir_abi.h that an agent treats in a way of its own.
const (
	CodeState       = int(C.WEIR_E_STATE)
	CodeConfig      = int(C.WEIR_E_CONFIG)
	CodePrivilege   = int(C.WEIR_E_PRIVILEGE)
	CodeUnsupported = int(C.WEIR_E_UNSUPPORTED)
	CodeTimeout     = int(C.WEIR_E_TIMEOUT)
	CodeCancelled   = int(C.WEIR_E_CANCELLED)
)

// Format is how points are encoded.
type Format int32

// The formats of weir_abi.h.
const (
	LineProtocol Format = C.WEIR_FORMAT_LINE_PROTOCOL
	Protobuf     Format = C.WEIR_FORMAT_PROTOBUF
)

// Plugin is a plugin's file, mapped for the rest of the process. Safe for concurrent use.
type Plugin struct {
	table       *C.weir_plugin_v1
	description Description
}

// Description is what a plugin says of itself.
type Description struct {
	Name         string        `json:"name"`
	Version      string        `json:"version"`
	Catalog      string        `json:"catalog"`
	Measurements []Measurement `json:"measurements"`
}

// Measurement is one kind of point. Info is all that the plugin says of it.
type Measurement struct {
	Name string
	Info json.RawMessage
}

// UnmarshalJSON keeps the whole text beside the name.
func (m *Measurement) UnmarshalJSON(text []byte) error {
	var named struct {
		Name string `json:"name"`
	}
	if err := json.Unmarshal(text, &named); err != nil {
		return err
	}
	m.Name = named.Name
	m.Info = append(json.RawMessage(nil), text...)
	return nil
}

// Open loads a plugin. It refuses a file that others than root and this process's user may write, because it
// runs with all that the agent may do.
func Open(path string) (*Plugin, error) {
	whole, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := checkTrust(whole); err != nil {
		return nil, err
	}
	cPath := C.CString(whole)
	defer C.free(unsafe.Pointer(cPath))
	var why *C.char
	table := C.weir_go_load(cPath, &why)
	if table == nil {
		defer C.free(unsafe.Pointer(why))
		return nil, fmt.Errorf("cannot use the plugin %s: %s", path, C.GoString(why))
	}
	plugin := &Plugin{table: table}
	text, err := plugin.static(0)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(text), &plugin.description); err != nil {
		return nil, fmt.Errorf("the plugin %s does not describe itself: %w", path, err)
	}
	return plugin, nil
}

func checkTrust(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("the plugin %s is not a file", path)
	}
	owner := info.Sys().(*syscall.Stat_t).Uid
	if owner != 0 && int(owner) != os.Geteuid() {
		return fmt.Errorf("the plugin %s belongs to user %d, neither root nor you", path, owner)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("the plugin %s may be written by its group or others", path)
	}
	return nil
}

func (p *Plugin) static(which C.int) (string, error) {
	var text C.weir_static
	if code := C.weir_go_static(p.table, which, &text); code != C.WEIR_OK {
		return "", &Error{Call: "self-description", Code: int(code)}
	}
	return C.GoStringN(text.data, C.int(text.size)), nil
}

// Describe is the plugin's self-description.
func (p *Plugin) Describe() Description { return p.description }

// Schema is the configuration's keys, JSON; empty when the plugin does not tell.
func (p *Plugin) Schema() string {
	text, _ := p.static(1)
	return text
}

// SampleConfig is a sample configuration, TOML.
func (p *Plugin) SampleConfig() string {
	text, _ := p.static(2)
	return text
}

// Validate checks a configuration; the error's text names lines and keys.
func (p *Plugin) Validate(config string) error {
	bytes := append([]byte(config), 0)
	text, code := ask(func(buffer *C.char, capacity C.uint64_t, length *C.uint64_t) C.weir_code {
		return C.weir_go_validate(p.table, (*C.char)(unsafe.Pointer(&bytes[0])), C.uint64_t(len(config)),
			buffer, capacity, length)
	})
	if code != C.WEIR_OK {
		return &Error{Call: "configuration", Code: int(code), Text: text}
	}
	return nil
}

// Probe says what would run here, JSON, and whether anything would.
func (p *Plugin) Probe() (string, bool) {
	text, code := ask(func(buffer *C.char, capacity C.uint64_t, length *C.uint64_t) C.weir_code {
		return C.weir_go_probe(p.table, buffer, capacity, length)
	})
	return text, code == C.WEIR_OK
}

// ask makes a call that writes a text, again with more room when the text is longer than expected.
func ask(call func(buffer *C.char, capacity C.uint64_t, length *C.uint64_t) C.weir_code) (string, C.weir_code) {
	const mostBytes = 16 << 20
	room := 16 << 10
	for {
		buffer := make([]byte, room)
		var length C.uint64_t
		code := call((*C.char)(unsafe.Pointer(&buffer[0])), C.uint64_t(room), &length)
		if uint64(length) <= uint64(room) {
			return string(buffer[:length]), code
		}
		if uint64(length) > mostBytes {
			return string(buffer), code
		}
		room = int(length)
	}
}

// ErrBusy is what a Feeder returns when it cannot take points now: the plugin keeps them and tries again.
var ErrBusy = errors.New("the feeder is busy")

// ErrClosed is what a Feeder returns when it takes no points until further notice.
var ErrClosed = errors.New("the feeder is closed")
