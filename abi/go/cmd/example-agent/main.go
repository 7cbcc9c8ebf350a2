// example-agent runs a plugin as an agent's input: it feeds points into a count, says what the last error was,
// and, when asked, shows that nothing is left of the plugin when it has ended.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	weir "weir/abi"
)

// counter is a feeder that refuses every so many batches, so that back-pressure is part of every run.
type counter struct {
	refuseEach uint64
	batches    atomic.Uint64
	points     atomic.Uint64
	bytes      atomic.Uint64
	refused    atomic.Uint64
	broken     atomic.Uint64
	errors     atomic.Uint64
	mutex      sync.Mutex
	last       string
}

func (c *counter) Feed(category weir.Category, points weir.Points, options weir.FeedOptions) error {
	batch := c.batches.Add(1)
	if c.refuseEach > 0 && batch%c.refuseEach == 0 {
		c.refused.Add(1)
		return weir.ErrBusy
	}
	if points.Format == weir.Protobuf {
		decoded, err := points.Decode()
		if err != nil || len(decoded) != points.Count {
			c.broken.Add(1)
		}
	}
	c.points.Add(uint64(points.Count))
	c.bytes.Add(uint64(len(points.Bytes)))
	return nil
}

func (c *counter) FeedLastError(info weir.ErrorInfo) {
	if info.Message == "" {
		return
	}
	c.errors.Add(1)
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.last = info.Message
}

type stderrLog struct{}

func (stderrLog) Log(level weir.Level, text string) {
	if level >= weir.Info {
		fmt.Fprintf(os.Stderr, "plugin: %s\n", text)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "example-agent:", err)
	os.Exit(1)
}

// stir keeps the scheduler and the collector busy and calls what may be called at any time, from goroutines that
// come and go, so that they move between threads.
func stir(input *weir.Input, over <-chan struct{}) {
	for {
		select {
		case <-over:
			return
		case <-time.After(5 * time.Millisecond):
		}
		var done sync.WaitGroup
		for i := 0; i < 4; i++ {
			done.Add(1)
			go func() {
				defer done.Done()
				garbage := make([]byte, 64<<10)
				runtime.Gosched()
				garbage[len(input.Metrics())%len(garbage)] = 1
				_ = input.HTTPAddress()
			}()
		}
		done.Wait()
	}
}

func life(plugin *weir.Plugin, config string, format weir.Format, run time.Duration, feeder *counter) error {
	input := plugin.NewInput(config, feeder, stderrLog{}, weir.Options{
		AgentName: "example-agent", Format: format, Tags: map[string]string{"agent": "example"}, Election: true,
	})
	over := make(chan struct{})
	var helpers sync.WaitGroup
	helpers.Add(2)
	go func() {
		defer helpers.Done()
		stir(input, over)
	}()
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(interrupted)
	go func() {
		defer helpers.Done()
		select {
		case <-time.After(run / 2):
			if err := input.Pause(); err == nil {
				time.Sleep(run / 20)
				_ = input.Resume()
			}
		case <-over:
		}
	}()
	go func() {
		select {
		case <-interrupted:
		case <-time.After(run):
		case <-over:
		}
		input.Terminate()
	}()
	err := input.Run()
	close(over)
	helpers.Wait()
	return err
}

func main() {
	path := flag.String("plugin", "", "the plugin's file")
	configFile := flag.String("config", "", "its configuration; the sample when empty")
	run := flag.Duration("for", 10*time.Second, "how long each life lasts")
	lives := flag.Int("lives", 1, "how many, one after the other")
	protobuf := flag.Bool("protobuf", false, "points as Protobuf")
	refuseEach := flag.Uint64("refuse-each", 0, "answer each n-th batch with busy")
	checkLeaks := flag.Bool("check-leaks", false, "fail when something of the plugin is left at the end")
	flag.Parse()

	plugin, err := weir.Open(*path)
	if err != nil {
		fail(err)
	}
	config := plugin.SampleConfig()
	if *configFile != "" {
		text, err := os.ReadFile(*configFile)
		if err != nil {
			fail(err)
		}
		config = string(text)
	}
	if err := plugin.Validate(config); err != nil {
		fail(err)
	}
	format := weir.LineProtocol
	if *protobuf {
		format = weir.Protobuf
	}
	feeder := &counter{refuseEach: *refuseEach}
	var before state
	for i := 0; i < *lives; i++ {
		if i == 1 {
			before = takeState() // the first life opens what libraries keep
		}
		if err := life(plugin, config, format, *run, feeder); err != nil {
			fail(err)
		}
	}
	fmt.Printf("{\"points\":%d,\"bytes\":%d,\"batches\":%d,\"refused\":%d,\"broken\":%d,\"errors\":%d,\"last_error\":%q}\n",
		feeder.points.Load(), feeder.bytes.Load(), feeder.batches.Load(), feeder.refused.Load(), feeder.broken.Load(),
		feeder.errors.Load(), feeder.last)
	if *checkLeaks {
		if left := leaks(before, *lives > 1); left != "" {
			fail(fmt.Errorf("left behind: %s", left))
		}
	}
}
