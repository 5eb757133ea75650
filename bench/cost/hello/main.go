// Command hello is what every Go program costs.
package main

import "fmt"

func main() { fmt.Println("hello") }
