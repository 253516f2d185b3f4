# For jq: `include "events";` with `jq -L examples` converts each line of the file exporter to flat objects, one per event,
# with the attributes of the event and of its resource by name.
def value:
  if has("intValue") then .intValue | tonumber
  elif has("arrayValue") then [.arrayValue.values[]? | value]
  else to_entries[0].value
  end;

def attributes: [(. // [])[] | {key, value: (.value | value)}] | from_entries;

def events:
  .resourceLogs[]
  | (.resource.attributes | attributes) as $resource
  | .scopeLogs[].logRecords[]
  | {time: (.timeUnixNano | tonumber / 1e9 | floor | todate), event: .eventName, severity: .severityText, body: .body.stringValue}
    + $resource + (.attributes | attributes);
