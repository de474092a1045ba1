# -*- coding: utf-8 -*-
# Answers with the event itself, to see what the gateway sends to a function.
import json

import zaliapi.ApiResponse as zapi


def handler(event, context):
    evt = json.loads(event)
    res = zapi.ApiResponse(evt)
    return json.dumps(res.to_dict())
