// Package keepalived reads keepalived.conf. Virtual servers become a wanted [lvs.Table],
// and their checkers a [health.Policy] for each service.
//
//	config, err := keepalived.ReadFile("/etc/keepalived/keepalived.conf", keepalived.Options{})
//	if err != nil {
//		return err
//	}
//	for _, note := range config.Notes {
//		log.Print(note) // what was left out, by file and line
//	}
//	plan, err := client.PlanTable(ctx, config.Table, lvs.PlanOptions{})
//
// Files are read as keepalived reads them, with includes, conditions, definitions and
// sequences, and with keepalived's defaults. A line that means nothing here, such as one of
// VRRP, gives a [Note]. A value that keepalived would report as wrong is an [*Error], and
// then nothing is returned.
package keepalived
