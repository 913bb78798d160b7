package keda

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kedacore/keda/v2/pkg/metricscollector"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// The presets read the value of a trigger as KEDA's own collector writes it: by its metric's name, and by labels that it has.
func TestPresetsReadWhatKedaPublishes(t *testing.T) {
	metricscollector.NewMetricsCollectors(true, false)
	labels := map[string]string{}
	metricscollector.RecordScalerMetric("shop", "worker", "kafkaScaler", 0, "s0-kafka-orders", true, 42)
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "keda_scaler_metrics_value" {
			continue
		}
		for _, metric := range family.GetMetric() {
			if value := metric.GetGauge().GetValue(); value != 42 {
				t.Fatalf("value: %v", value)
			}
			for _, label := range metric.GetLabel() {
				labels[label.GetName()] = label.GetValue()
			}
		}
	}
	if labels["namespace"] != "shop" || labels["scaledObject"] != "worker" || labels["scaler"] != "kafkaScaler" {
		t.Fatalf("labels: %v", labels)
	}
	presets, err := filepath.Glob("../../models/presets/keda-*.yaml")
	if err != nil || len(presets) < 4 {
		t.Fatalf("presets: %v, %v", presets, err)
	}
	selector := regexp.MustCompile(`keda_scaler_metrics_value\{([^}]*)\}`)
	for _, preset := range presets {
		text, err := os.ReadFile(preset)
		if err != nil {
			t.Fatal(err)
		}
		found := selector.FindAllStringSubmatch(string(text), -1)
		if len(found) != 2 {
			t.Fatalf("%s: expected both layouts of labels, found %d", preset, len(found))
		}
		for _, selected := range found {
			for _, matcher := range strings.Split(selected[1], ",") {
				name := strings.TrimPrefix(strings.SplitN(matcher, "=", 2)[0], "exported_")
				if _, known := labels[name]; !known {
					t.Errorf("%s: KEDA has no label %q", preset, name)
				}
			}
		}
	}
}
