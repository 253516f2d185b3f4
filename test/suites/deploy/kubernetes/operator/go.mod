module github.com/otelcol-ebpf/otelcol-ebpf/test/suites/deploy/kubernetes/operator

go 1.26.0

require github.com/open-telemetry/opentelemetry-operator v0.148.0
