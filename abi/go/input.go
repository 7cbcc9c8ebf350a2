package weir

/*
#include <stdlib.h>
#include "bridge.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime/cgo"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// Options of an input; the zero value will do.
type Options struct {
	AgentName   string            // for the plugin's log
	Format      Format            // of points; LineProtocol when zero
	Tags        map[string]string // on every point that has no tag of that name
	Election    bool              // takes part in elections: see Pause and Resume
	StopTimeout time.Duration     // for handing over the last points; 5 s when zero
}

// Input is one instance of a plugin. Safe for concurrent use.
type Input struct {
	plugin   *Plugin
	config   string
	feeder   Feeder
	logger   Logger
	format   Format
	name     string
	election bool
	timeout  time.Duration

	fed    atomic.Uint64
	panics atomic.Uint64
	end    chan struct{} // closed by Terminate
	ending sync.Once

	// [control] calls, one at a time.
	control sync.Mutex

	mutex    sync.Mutex // guards what follows, never held during a call of the plugin's that may call back
	instance *C.weir_instance
	users    sync.WaitGroup // [any-thread] calls on instance that are under way
	tags     string
	version  uint64
}

// NewInput makes an input that runs `config`, TOML. Nothing happens before Run.
func (p *Plugin) NewInput(config string, feeder Feeder, logger Logger, options Options) *Input {
	in := &Input{
		plugin:   p,
		config:   config,
		feeder:   feeder,
		logger:   logger,
		format:   options.Format,
		name:     options.AgentName,
		election: options.Election,
		timeout:  options.StopTimeout,
		end:      make(chan struct{}),
	}
	if in.format == 0 {
		in.format = LineProtocol
	}
	if in.timeout == 0 {
		in.timeout = 5 * time.Second
	}
	in.SetTags(options.Tags)
	return in
}

// Catalog is where an agent lists the input.
func (in *Input) Catalog() string { return in.plugin.description.Catalog }

// SampleConfig is a sample configuration, TOML.
func (in *Input) SampleConfig() string { return in.plugin.SampleConfig() }

// SampleMeasurement is what points there are.
func (in *Input) SampleMeasurement() []Measurement { return in.plugin.description.Measurements }

// AvailableArchs are the platforms that the plugin exists for.
func (in *Input) AvailableArchs() []string { return []string{"linux/amd64"} }

// Singleton says that one instance is enough for a host: each sees all of it.
func (in *Input) Singleton() {}

// ElectionEnabled says whether the agent may pause it.
func (in *Input) ElectionEnabled() bool { return in.election }

// Fed is how many points the feeder has taken.
func (in *Input) Fed() uint64 { return in.fed.Load() }

// Run collects until Terminate. What went wrong, it returns and reports as the last error. An input runs once.
func (in *Input) Run() error {
	err := in.run()
	if err != nil {
		in.reportError(err.Error())
	}
	return err
}

func (in *Input) run() error {
	handle := cgo.NewHandle(in)
	defer handle.Delete() // after destroy: nothing calls any more
	instance, err := in.create(handle)
	if err != nil {
		return err
	}
	defer in.destroy(instance)
	in.publish(instance)
	if in.terminated() {
		return nil
	}
	if err := in.call("start", instance, 0); err != nil {
		var failure *Error
		if errors.As(err, &failure) && failure.Code == CodeCancelled {
			return nil
		}
		return err
	}
	<-in.end
	return in.stop(instance)
}

func (in *Input) create(handle cgo.Handle) (*C.weir_instance, error) {
	name := C.CString(in.name)
	defer C.free(unsafe.Pointer(name))
	config := append([]byte(in.config), 0)
	var instance *C.weir_instance
	text, code := ask(func(buffer *C.char, capacity C.uint64_t, length *C.uint64_t) C.weir_code {
		if instance != nil {
			return C.WEIR_OK
		}
		return C.weir_go_create(in.plugin.table, C.uint64_t(handle), C.int32_t(in.format), name,
			(*C.char)(unsafe.Pointer(&config[0])), C.uint64_t(len(in.config)), &instance, buffer, capacity, length)
	})
	if code != C.WEIR_OK {
		return nil, &Error{Call: "create", Code: int(code), Text: text}
	}
	return instance, nil
}

func (in *Input) publish(instance *C.weir_instance) {
	in.mutex.Lock()
	defer in.mutex.Unlock()
	in.instance = instance
}

// The instance is taken away from [any-thread] calls first, and destroyed when the last of them is over.
func (in *Input) destroy(instance *C.weir_instance) {
	in.publish(nil)
	in.users.Wait()
	in.control.Lock()
	defer in.control.Unlock()
	C.weir_go_destroy(in.plugin.table, instance)
}

// use runs an [any-thread] call on the instance; false when there is none.
func (in *Input) use(call func(instance *C.weir_instance)) bool {
	in.mutex.Lock()
	instance := in.instance
	if instance == nil {
		in.mutex.Unlock()
		return false
	}
	in.users.Add(1)
	in.mutex.Unlock()
	defer in.users.Done()
	call(instance)
	return true
}

func (in *Input) call(name string, instance *C.weir_instance, which C.int) error {
	in.control.Lock()
	defer in.control.Unlock()
	return in.failure(name, instance, C.weir_go_control(in.plugin.table, instance, which))
}

func (in *Input) failure(name string, instance *C.weir_instance, code C.weir_code) error {
	if code == C.WEIR_OK {
		return nil
	}
	text, _ := ask(func(buffer *C.char, capacity C.uint64_t, length *C.uint64_t) C.weir_code {
		return C.weir_go_last_error(in.plugin.table, instance, buffer, capacity, length)
	})
	return &Error{Call: name, Code: int(code), Text: text}
}

func (in *Input) stop(instance *C.weir_instance) error {
	in.control.Lock()
	defer in.control.Unlock()
	code := C.weir_go_stop(in.plugin.table, instance, C.uint64_t(in.timeout.Nanoseconds()))
	return in.failure("stop", instance, code)
}

// Terminate ends Run, from any goroutine, any number of times, also before Run and during a slow start.
func (in *Input) Terminate() {
	in.ending.Do(func() {
		close(in.end)
		in.use(func(instance *C.weir_instance) { C.weir_go_control(in.plugin.table, instance, 3) })
	})
}

func (in *Input) terminated() bool {
	select {
	case <-in.end:
		return true
	default:
		return false
	}
}

var errNotRunning = errors.New("the input is not running")

func (in *Input) onInstance(call func(instance *C.weir_instance) error) error {
	err := errNotRunning
	in.use(func(instance *C.weir_instance) { err = call(instance) })
	return err
}

// Pause lets the input collect and hand over nothing: another agent was elected.
func (in *Input) Pause() error {
	return in.onInstance(func(instance *C.weir_instance) error { return in.call("pause", instance, 1) })
}

// Resume ends Pause.
func (in *Input) Resume() error {
	return in.onInstance(func(instance *C.weir_instance) error { return in.call("resume", instance, 2) })
}

// Reconfigure takes over a new configuration as far as that needs no restart.
func (in *Input) Reconfigure(config string) error {
	bytes := append([]byte(config), 0)
	return in.onInstance(func(instance *C.weir_instance) error {
		in.control.Lock()
		defer in.control.Unlock()
		code := C.weir_go_reconfigure(in.plugin.table, instance, (*C.char)(unsafe.Pointer(&bytes[0])),
			C.uint64_t(len(config)))
		return in.failure("reconfigure", instance, code)
	})
}

// HTTPAddress is where the plugin's endpoint listens; empty when nowhere.
func (in *Input) HTTPAddress() string { return in.extension(C.WEIR_EXT_HTTP_ADDRESS) }

// Metrics are the plugin's own figures, in Prometheus text format; empty when it has none.
func (in *Input) Metrics() string { return in.extension(C.WEIR_EXT_METRICS) }

func (in *Input) extension(id string) (text string) {
	cID := C.CString(id)
	defer C.free(unsafe.Pointer(cID))
	in.use(func(instance *C.weir_instance) {
		found, code := ask(func(buffer *C.char, capacity C.uint64_t, length *C.uint64_t) C.weir_code {
			return C.weir_go_extension_text(in.plugin.table, instance, cID, buffer, capacity, length)
		})
		if code == C.WEIR_OK {
			text = found
		}
	})
	return text
}

// SetTags sets the tags that every point gets where it has none of that name. A key or value with a newline,
// and a key with "=", cannot be said and are left out.
func (in *Input) SetTags(tags map[string]string) {
	var lines []string
	for key, value := range tags {
		if key != "" && !strings.ContainsAny(key, "=\n") && !strings.Contains(value, "\n") {
			lines = append(lines, fmt.Sprintf("%s=%s\n", key, value))
		}
	}
	sort.Strings(lines)
	in.mutex.Lock()
	defer in.mutex.Unlock()
	in.tags = strings.Join(lines, "")
	in.version++
}

func (in *Input) tagText() (string, uint64) {
	in.mutex.Lock()
	defer in.mutex.Unlock()
	return in.tags, in.version
}

func (in *Input) reportError(message string) {
	name := in.plugin.description.Name
	in.feeder.FeedLastError(ErrorInfo{Input: name, Source: name, Category: Network, Message: message})
}
