// Serves govmomi's simulator of a vCenter at a port of 127.0.0.1, until it is killed.
package main

import (
	"crypto/tls"
	"fmt"
	"log"
	"net/url"
	"os"

	"github.com/vmware/govmomi/simulator"
)

func main() {
	model := simulator.VPX()
	model.Datastore = 2
	if err := model.Create(); err != nil {
		log.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(os.Args[2], os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	model.Service.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	model.Service.Listen = &url.URL{Host: "127.0.0.1:" + os.Args[1], User: url.UserPassword("user", "pass")}
	server := model.Service.NewServer()
	fmt.Println(server.URL)
	select {}
}
