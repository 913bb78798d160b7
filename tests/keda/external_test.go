package keda

import (
	"context"
	"strings"
	"testing"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

func TestScheduleOnly(t *testing.T) {
	server := start(t, "127.0.0.1", 0, "")
	for name, test := range map[string]struct {
		schedule string
		value    float64
		active   bool
	}{
		"exactly": {"- {exactly: 3}", 3, true},
		"floor":   {"- {min: 2}", 2, true},
		"zero":    {"- {exactly: 0}", 0, false},
		"crossed": {"- {min: 5}\n- {max: 2}", 5, true},
	} {
		t.Run(name, func(t *testing.T) {
			scaler := external(t, trigger("schedule-"+name, server.grpc, map[string]string{"schedule": test.schedule}, nil))
			specs := scaler.GetMetricSpecForScaling(context.Background())
			if len(specs) != 1 || specs[0].External.Metric.Name != "s2-forescale" {
				t.Fatalf("specs: %+v", specs)
			}
			if target := specs[0].External.Target.AverageValue; target == nil || target.MilliValue() != 1000 {
				t.Fatalf("target: %v", target)
			}
			value, active := settled(t, scaler, "s2-forescale")
			if value != test.value || active != test.active {
				t.Fatalf("%v, %v", value, active)
			}
		})
	}
}

func TestLoadFromPrometheus(t *testing.T) {
	server := start(t, "127.0.0.1", 0, datasource(prometheus(t)))
	metadata := map[string]string{
		"query": "vector(730)", "threshold": "100", "maxReplicas": "20", "metricName": "orders", "historyTimeWindow": "2d",
	}
	scaler := external(t, trigger("orders", server.grpc, metadata, nil))
	specs := scaler.GetMetricSpecForScaling(context.Background())
	if len(specs) != 1 || specs[0].External.Metric.Name != "s2-orders" {
		t.Fatalf("specs: %+v", specs)
	}
	// A flat load has no uncertainty: 730 at 100 for each replica.
	if value, active := settled(t, scaler, "s2-orders"); value != 8 || !active {
		t.Fatalf("%v, %v", value, active)
	}
}

// KEDA before 2.17 knows only the whole numbers.
func TestFieldsOfOldKeda(t *testing.T) {
	server := start(t, "127.0.0.1", 0, "")
	connection, err := grpc.NewClient(server.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	client := pb.NewExternalScalerClient(connection)
	object := &pb.ScaledObjectRef{Name: "old", Namespace: "shop", ScalerMetadata: map[string]string{"schedule": "- {exactly: 4}"}}
	spec, err := client.GetMetricSpec(context.Background(), object)
	if err != nil {
		t.Fatal(err)
	}
	//nolint:staticcheck // The deprecated field is what this is about.
	if one := spec.MetricSpecs[0]; one.TargetSize != 1 || one.TargetSizeFloat != 1 {
		t.Errorf("spec: %v", one)
	}
	eventually(t, "an answer", func() error {
		_, err := client.GetMetrics(context.Background(), &pb.GetMetricsRequest{ScaledObjectRef: object, MetricName: "forescale"})
		return err
	})
	metrics, err := client.GetMetrics(context.Background(), &pb.GetMetricsRequest{ScaledObjectRef: object, MetricName: "forescale"})
	if err != nil {
		t.Fatal(err)
	}
	//nolint:staticcheck // As above.
	if one := metrics.MetricValues[0]; one.MetricValue != 4 || one.MetricValueFloat != 4 {
		t.Errorf("value: %v", one)
	}
}

func TestErrorsAreNeverZero(t *testing.T) {
	// Nothing listens on the data source's port.
	server := start(t, "127.0.0.1", 0, datasource("http://127.0.0.1:9"))
	t.Run("faulty metadata", func(t *testing.T) {
		faulty := map[string]string{"query": "up", "treshold": "10", "minReplicas": "7", "maxReplicas": "3"}
		scaler := external(t, trigger("faulty", server.grpc, faulty, nil))
		// The spec stays, or KEDA's fallback and the other triggers would be disarmed with it.
		if specs := scaler.GetMetricSpecForScaling(context.Background()); len(specs) != 1 {
			t.Errorf("specs: %v", specs)
		}
		value, active, err := answer(scaler, "s2-forescale")
		if status.Code(err) != codes.InvalidArgument || value != 0 || active {
			t.Fatalf("%v, %v, %v", value, active, err)
		}
		for _, part := range []string{"treshold", "'threshold'", "minReplicas"} {
			if !strings.Contains(err.Error(), strings.Trim(part, "'")) {
				t.Errorf("%q lacks %q", err.Error(), part)
			}
		}
	})
	t.Run("no history yet", func(t *testing.T) {
		blind := map[string]string{"query": "up", "threshold": "10", "schedule": "- {min: 2}"}
		scaler := external(t, trigger("blind", server.grpc, blind, nil))
		if specs := scaler.GetMetricSpecForScaling(context.Background()); len(specs) != 1 {
			t.Errorf("specs: %v", specs)
		}
		// It warms up, then knows that there is nothing; never does it say a number.
		eventually(t, "word that there is no data", func() error {
			value, active, err := answer(scaler, "s2-forescale")
			if status.Code(err) != codes.Unavailable || value != 0 || active {
				t.Fatalf("%v, %v, %v", value, active, err)
			}
			if !strings.Contains(err.Error(), "no data: 'up'") {
				return err
			}
			return nil
		})
	})
	t.Run("another trigger is served meanwhile", func(t *testing.T) {
		scaler := external(t, trigger("fine", server.grpc, map[string]string{"schedule": "- {exactly: 1}"}, nil))
		if value, active := settled(t, scaler, "s2-forescale"); value != 1 || !active {
			t.Fatalf("%v, %v", value, active)
		}
	})
}
