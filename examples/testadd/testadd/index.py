# -*- coding: utf-8 -*-
# Adds the query parameters a and b. The gateway hands them over as text.
import json

import zaliapi.ApiResponse as zapi


def handler(event, context):
    evt = json.loads(event)
    params = evt['queryParameters']
    a = int(params['a'])
    b = int(params['b'])
    res = zapi.ApiResponse({'msg': str(a + b)})
    return json.dumps(res.to_dict())
