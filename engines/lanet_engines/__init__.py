"""Run one exported model on one runtime: uint8 face crops in, logits out."""

from lanet_engines.usage_reports import keep_usage_reports_back

keep_usage_reports_back()
