// Stands for the interface of that name in functions' packages; only rehearsal/Rehearsal.java is given one.
package com.aliyun.fc.runtime;

public interface FunctionParam {}
