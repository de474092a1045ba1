# -*- coding: utf-8 -*-
# Builds the answer that the API gateway expects of a function.


class ApiResponse(object):
    def __init__(self, body=None, status=200, headers=None):
        self.body = body
        self.status = status
        self.headers = headers if headers is not None else {}

    def to_dict(self):
        return {
            'isBase64Encoded': False,
            'statusCode': self.status,
            'headers': self.headers,
            'body': self.body,
        }
