// Package keda calls a running Forescale through KEDA's own scalers, taken from KEDA's published module.
package keda

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/kedacore/keda/v2/pkg/scalers"
	"github.com/kedacore/keda/v2/pkg/scalers/scalersconfig"
	ctrl "sigs.k8s.io/controller-runtime"
)

// within is how long anything may take on a loaded machine before it is a fault.
const within = 60 * time.Second

func TestMain(m *testing.M) {
	// KEDA logs through the controller runtime, which complains where no logger is set.
	ctrl.SetLogger(logr.Discard())
	os.Exit(m.Run())
}

// forescale is a running server.
type forescale struct {
	grpc, http string
	process    *exec.Cmd
	log        *lines
	ended      chan error
}

// lines gathers what a process says.
type lines struct {
	mutex sync.Mutex
	all   []string
}

func (l *lines) add(line string) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.all = append(l.all, line)
}

func (l *lines) text() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return strings.Join(l.all, "\n")
}

func binary(t *testing.T) string {
	path := os.Getenv("FORESCALE")
	if path == "" {
		path = filepath.Join("..", "..", "target", "release", "forescale")
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("build the server first (cargo build --release): %v", err)
	}
	return path
}

// start runs `forescale serve` on host with a free port, or the given one, and waits until it is ready.
func start(t *testing.T, host string, port int, extra string) *forescale {
	t.Helper()
	if port == 0 {
		port = freePort(t, host)
	}
	s := &forescale{
		grpc:  fmt.Sprintf("%s:%d", host, port),
		http:  fmt.Sprintf("%s:%d", host, freePort(t, host)),
		log:   &lines{},
		ended: make(chan error, 1),
	}
	config := filepath.Join(t.TempDir(), "config.yaml")
	text := fmt.Sprintf("listen: {grpc: '%s', http: '%s'}\n%s\n", s.grpc, s.http, extra)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.process = exec.Command(binary(t), "serve", "--config", config)
	stderr, err := s.process.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for scanner := bufio.NewScanner(stderr); scanner.Scan(); {
			s.log.add(scanner.Text())
		}
		s.ended <- s.process.Wait()
	}()
	t.Cleanup(func() {
		_ = s.process.Process.Kill()
		if t.Failed() {
			t.Logf("server %s:\n%s", s.grpc, s.log.text())
		}
	})
	eventually(t, "ready", func() error { return ok("http://" + s.http + "/readyz") })
	return s
}

// stop ends the server as Kubernetes does, and reports whether it ended well.
func (s *forescale) stop(t *testing.T) {
	t.Helper()
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-s.ended:
		if err != nil {
			t.Errorf("the server ended with %v", err)
		}
	case <-time.After(within):
		t.Errorf("the server did not end")
	}
}

// prometheus runs a real one without any data: its vector() is a load of any height over any history.
func prometheus(t *testing.T) string {
	t.Helper()
	return prometheusWith(t, "global: {}")
}

func prometheusWith(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t, "127.0.0.1"))
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	process := exec.Command("prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--log.level=error")
	process.Stderr = os.Stderr
	if err := process.Start(); err != nil {
		t.Fatalf("prometheus does not start: %v", err)
	}
	t.Cleanup(func() {
		_ = process.Process.Kill()
		_ = process.Wait()
	})
	eventually(t, "prometheus", func() error { return ok("http://" + address + "/-/ready") })
	return "http://" + address
}

func datasource(url string) string {
	return fmt.Sprintf("datasources: {default: {url: '%s'}}", url)
}

// trigger is what KEDA hands to a scaler for one trigger of a ScaledObject.
func trigger(name, address string, metadata, auth map[string]string) *scalersconfig.ScalerConfig {
	all := map[string]string{"scalerAddress": address}
	for key, value := range metadata {
		all[key] = value
	}
	return &scalersconfig.ScalerConfig{
		ScalableObjectName:      name,
		ScalableObjectNamespace: "shop",
		ScalableObjectType:      "ScaledObject",
		TriggerName:             "forescale",
		TriggerMetadata:         all,
		AuthParams:              auth,
		ResolvedEnv:             map[string]string{},
		TriggerIndex:            2,
	}
}

func external(t *testing.T, config *scalersconfig.ScalerConfig) scalers.Scaler {
	t.Helper()
	scaler, err := scalers.NewExternalScaler(config)
	if err != nil {
		t.Fatal(err)
	}
	return scaler
}

// answer asks once, as KEDA's poll does.
func answer(scaler scalers.Scaler, metric string) (float64, bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	values, active, err := scaler.GetMetricsAndActivity(ctx, metric)
	if err != nil {
		return 0, false, err
	}
	if len(values) != 1 {
		return 0, false, fmt.Errorf("%d values in place of one", len(values))
	}
	return values[0].Value.AsApproximateFloat64(), active, nil
}

// settled asks until there is an answer: a server that has just started reads its history first.
func settled(t *testing.T, scaler scalers.Scaler, metric string) (value float64, active bool) {
	t.Helper()
	eventually(t, "an answer", func() (err error) {
		value, active, err = answer(scaler, metric)
		return err
	})
	return value, active
}

func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	eventuallyBy(t, what, within, try)
}

func eventuallyBy(t *testing.T, what string, limit time.Duration, try func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func ok(url string) error {
	_, err := body(url)
	return err
}

func body(url string) (string, error) {
	response, err := http.Get(url)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", url, response.Status)
	}
	text, err := io.ReadAll(response.Body)
	return string(text), err
}

func freePort(t *testing.T, host string) int {
	t.Helper()
	listener, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port
}
